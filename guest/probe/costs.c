// SPDX-License-Identifier: GPL-2.0-only
/* What calls of the DMA API cost: the instructions that this CPU executes for them. */
#include <linux/bits.h>
#include <linux/irqflags.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <asm/barrier.h>
#include <asm/sysreg.h>

#include "probe.h"

#define INST_RETIRED	8	/* an event of the PMU (Arm ARM, "Common events") */
#define COUNTER		BIT(0)
#define TIMES		32	/* as often is a buffer mapped; the least counts */
#define HELD		512	/* allocations at a time */
#define HELD_BYTES	SZ_8M	/* likewise, at most: pools may be small */
#define ROUNDS		4	/* as often is a half of them made again; the least counts */

static bool counter_start(void)
{
	u64 version = read_sysreg(id_aa64dfr0_el1) >> 8 & 0xf;

	if (!version || version == 0xf || !(read_sysreg(pmceid0_el0) & BIT(INST_RETIRED)))
		return false;
	write_sysreg(INST_RETIRED, pmevtyper0_el0);
	write_sysreg(COUNTER, pmcntenset_el0);
	write_sysreg(read_sysreg(pmcr_el0) | 1, pmcr_el0);
	isb();
	return true;
}

static u32 counted(void)
{
	u32 count;

	isb();
	count = read_sysreg(pmevcntr0_el0);
	isb();
	return count;
}

/* The instructions between two readings without anything between them. */
static u32 counted_for_nothing(void)
{
	u32 begin = counted();

	return counted() - begin;
}

struct mapping_cost {
	struct device *dev;
	void *virt;
	u32 length;
	enum dma_data_direction direction;
	u32 least[4];		/* map, sync for device, sync for CPU, unmap */
};

/* No interrupt comes between the readings. */
static int mapping_measure(struct mapping_cost *cost)
{
	u32 nothing, at[5];
	unsigned long flags;
	dma_addr_t dma_addr;

	local_irq_save(flags);
	nothing = counted_for_nothing();
	at[0] = counted();
	dma_addr = dma_map_single_attrs(cost->dev, cost->virt, cost->length, cost->direction,
					DMA_ATTR_NO_WARN);
	at[1] = counted();
	if (dma_mapping_error(cost->dev, dma_addr)) {
		local_irq_restore(flags);
		return -ENOMEM;
	}
	at[2] = counted();
	dma_sync_single_for_device(cost->dev, dma_addr, cost->length, cost->direction);
	at[3] = counted();
	dma_sync_single_for_cpu(cost->dev, dma_addr, cost->length, cost->direction);
	at[4] = counted();
	dma_unmap_single(cost->dev, dma_addr, cost->length, cost->direction);
	cost->least[3] = min(cost->least[3], counted() - at[4] - nothing);
	local_irq_restore(flags);
	cost->least[0] = min(cost->least[0], at[1] - at[0] - nothing);
	cost->least[1] = min(cost->least[1], at[3] - at[2] - nothing);
	cost->least[2] = min(cost->least[2], at[4] - at[3] - nothing);
	return 0;
}

int call_cost_map(struct call *call)
{
	const struct probe_cost_map *request = call->request;
	struct target *target = target_find(request->device);
	struct mapping_cost cost = {
		.length = le32_to_cpu(request->length),
		.direction = request->direction,
		.least = { ~0, ~0, ~0, ~0 },
	};
	struct probe_count *answer;
	struct buffer *buffer;
	int i, status = buffer_slice(call->context, request->buffer, 0, cost.length, &buffer);

	if (!target)
		return PROBE_NO_DEVICE;
	if (status)
		return status;
	if (request->direction > DMA_FROM_DEVICE)
		return PROBE_BAD_VALUE;
	if (!counter_start())
		return -EOPNOTSUPP;
	cost.dev = target->dev;
	cost.virt = buffer->virt;
	for (i = 0; i < TIMES; i++) {
		status = mapping_measure(&cost);
		if (status)
			return status;
	}
	answer = call_answer(call, sizeof(cost.least));
	for (i = 0; i < ARRAY_SIZE(cost.least); i++)
		answer[i].value = cpu_to_le32(cost.least[i]);
	return 0;
}

struct memory_cost {
	struct device *dev;
	size_t size;
	int number;
	u32 least[2];		/* alloc, free */
	struct { void *virt; dma_addr_t dma_addr; } held[HELD];
};

/* As many as are missing, each as where a driver must not sleep. */
static int memory_alloc(struct memory_cost *cost)
{
	u32 begin, end, nothing = counted_for_nothing();
	unsigned long flags;
	int i;

	for (i = 0; i < cost->number; i++) {
		if (cost->held[i].virt)
			continue;
		local_irq_save(flags);
		begin = counted();
		cost->held[i].virt = dma_alloc_coherent(cost->dev, cost->size,
							&cost->held[i].dma_addr,
							GFP_ATOMIC | __GFP_NOWARN);
		end = counted();
		local_irq_restore(flags);
		if (!cost->held[i].virt)
			return -ENOMEM;
		cost->least[0] = min(cost->least[0], end - begin - nothing);
	}
	return 0;
}

/* Those in places with the bit, all for 0; interrupts stay enabled, as this call demands. */
static void memory_free(struct memory_cost *cost, int bit)
{
	u32 begin, nothing = counted_for_nothing();
	int i;

	for (i = 0; i < cost->number; i++) {
		if (!cost->held[i].virt || (bit && !(i & bit)))
			continue;
		begin = counted();
		dma_free_coherent(cost->dev, cost->size, cost->held[i].virt,
				  cost->held[i].dma_addr);
		cost->least[1] = min(cost->least[1], counted() - begin - nothing);
		cost->held[i].virt = NULL;
	}
}

/* Makes the page allocator put what this CPU holds of freed pages into its free lists. */
static void pages_flush(void)
{
	unsigned long page, last = 0;
	int i;

	for (i = 0; i < SZ_16M >> (PAGE_SHIFT + PAGE_ALLOC_COSTLY_ORDER); i++) {
		page = __get_free_pages(GFP_KERNEL | __GFP_NOWARN, PAGE_ALLOC_COSTLY_ORDER);
		if (!page)
			break;
		*(unsigned long *)page = last;
		last = page;
	}
	while (last) {
		page = last;
		last = *(unsigned long *)page;
		free_pages(page, PAGE_ALLOC_COSTLY_ORDER);
	}
}

/*
 * Every second allocation, then two of every four and so on are made again, as the others keep the
 * free blocks beside them from becoming one: the page allocator has free blocks of this size then,
 * whatever it had before.
 */
static int memory_measure(struct memory_cost *cost)
{
	int bit, status = memory_alloc(cost);

	for (bit = 1; !status && bit < 1 << ROUNDS; bit <<= 1) {
		memory_free(cost, bit);
		pages_flush();
		status = memory_alloc(cost);
	}
	memory_free(cost, 0);
	return status;
}

int call_cost_alloc(struct call *call)
{
	const struct probe_cost_alloc *request = call->request;
	struct target *target = target_find(request->device);
	struct memory_cost *cost;
	struct probe_count *answer;
	size_t size = le32_to_cpu(request->size);
	int i, status;

	if (!target)
		return PROBE_NO_DEVICE;
	if (!size)
		return PROBE_BAD_RANGE;
	if (!counter_start())
		return -EOPNOTSUPP;
	cost = kzalloc(sizeof(*cost), GFP_KERNEL);
	if (!cost)
		return -ENOMEM;
	cost->dev = target->dev;
	cost->size = size;
	cost->number = clamp_t(size_t, HELD_BYTES / PAGE_ALIGN(size), 1, HELD);
	cost->least[0] = cost->least[1] = ~0;
	status = memory_measure(cost);
	if (!status) {
		answer = call_answer(call, sizeof(cost->least));
		for (i = 0; i < ARRAY_SIZE(cost->least); i++)
			answer[i].value = cpu_to_le32(cost->least[i]);
	}
	kfree(cost);
	return status;
}
