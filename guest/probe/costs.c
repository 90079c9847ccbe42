// SPDX-License-Identifier: GPL-2.0-only
/* What calls of the DMA API cost: the instructions that this CPU executes for them. */
#include <linux/bits.h>
#include <linux/irqflags.h>
#include <linux/minmax.h>
#include <asm/barrier.h>
#include <asm/sysreg.h>

#include "probe.h"

#define INST_RETIRED	8	/* an event of the PMU (Arm ARM, "Common events") */
#define COUNTER		BIT(0)
#define TIMES		32	/* as often is each call made; the least counts */

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

/* Interrupts stay enabled: freeing coherent memory without them is not allowed. */
int call_cost_alloc(struct call *call)
{
	const struct probe_cost_alloc *request = call->request;
	u32 nothing, middle, least[2] = { ~0, ~0 }, size = le32_to_cpu(request->size);
	struct target *target = target_find(request->device);
	struct probe_count *answer;
	dma_addr_t dma_addr;
	int i;

	if (!target)
		return PROBE_NO_DEVICE;
	if (!size)
		return PROBE_BAD_RANGE;
	if (!counter_start())
		return -EOPNOTSUPP;
	for (i = 0; i < TIMES; i++) {
		u32 begin;
		void *virt;

		nothing = counted_for_nothing();
		begin = counted();
		virt = dma_alloc_coherent(target->dev, size, &dma_addr, GFP_KERNEL | __GFP_NOWARN);
		middle = counted();
		if (!virt)
			return -ENOMEM;
		least[0] = min(least[0], middle - begin - nothing);
		begin = counted();
		dma_free_coherent(target->dev, size, virt, dma_addr);
		least[1] = min(least[1], counted() - begin - nothing);
	}
	answer = call_answer(call, sizeof(least));
	for (i = 0; i < ARRAY_SIZE(least); i++)
		answer[i].value = cpu_to_le32(least[i]);
	return 0;
}
