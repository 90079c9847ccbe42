// SPDX-License-Identifier: Apache-2.0
/*
 * A TCG plugin for QEMU: every access of the kernel's to the restricted pools, with the program
 * counter, who called the copying function that it is in, and who called the DMA API before.
 *
 * All it needs and all it sees stands in one file that the harness maps as well; its layout is
 * described once more, and by reason, in ring.py. QEMU's threads write records, the harness reads
 * them while the guest runs; nobody waits for anybody.
 */
#include <stdio.h>
#include <string.h>

#include "api.h"

#define MOST_CPUS	64
#define MOST_WINDOWS	8
#define MOST_FUNCTIONS	64

/* What QEMU reports as [reported, reported + size) is guest-physical memory from base on. */
struct window {
	uint64_t reported, base, size;
};

/* A function whose callers are remembered, as it lies in memory. */
struct function {
	uint64_t start, size, kind;
};

enum { COPYING = 0, DMA_API = 1 };

/* The first page of the file. The harness writes all of it but head. */
struct control {
	uint64_t head;		/* records ever begun */
	uint64_t armed;		/* whether accesses are recorded */
	uint64_t capacity;	/* records in the ring */
	uint64_t windows, functions;
	struct window window[MOST_WINDOWS];
	struct function function[MOST_FUNCTIONS];
};

struct record {
	uint64_t number;	/* one more than its place in the order; written last */
	uint64_t address;	/* guest-physical */
	uint64_t pc;
	uint64_t site;		/* what called the copying function that was entered last */
	uint64_t driver;	/* likewise the function of the DMA API */
	uint32_t call;		/* how many copying functions this CPU had entered */
	uint16_t cpu;
	uint8_t size, store;
};

#define HEADER 4096

static struct control *control;
static struct record *ring;
static struct {
	uint64_t last;		/* the last instruction of the block that runs or ran last */
	uint64_t site, driver;
	uint32_t call;
} cpus[MOST_CPUS];

static void record(unsigned int cpu, uint64_t address, uint64_t pc, unsigned int size, bool store)
{
	uint64_t order = __atomic_fetch_add(&control->head, 1, __ATOMIC_RELAXED);
	struct record *slot = &ring[order % control->capacity];

	__atomic_store_n(&slot->number, 0, __ATOMIC_RELEASE);
	slot->address = address;
	slot->pc = pc;
	slot->site = cpus[cpu].site;
	slot->driver = cpus[cpu].driver;
	slot->call = cpus[cpu].call;
	slot->cpu = cpu;
	slot->size = size;
	slot->store = store;
	__atomic_store_n(&slot->number, order + 1, __ATOMIC_RELEASE);
}

static void on_access(unsigned int cpu, access_info info, uint64_t vaddr, void *pc)
{
	const struct qemu_plugin_hwaddr *place;
	uint64_t reported, i;

	if (!__atomic_load_n(&control->armed, __ATOMIC_ACQUIRE) || cpu >= MOST_CPUS)
		return;
	place = qemu_plugin_get_hwaddr(info, vaddr);
	if (!place || qemu_plugin_hwaddr_is_io(place))
		return;
	reported = qemu_plugin_hwaddr_phys_addr(place);
	for (i = 0; i < control->windows; i++) {
		const struct window *window = &control->window[i];

		if (reported - window->reported < window->size) {
			record(cpu, reported - window->reported + window->base, (uintptr_t)pc,
			       1u << qemu_plugin_mem_size_shift(info),
			       qemu_plugin_mem_is_store(info));
			return;
		}
	}
}

static const struct function *function_at(uint64_t vaddr)
{
	uint64_t i;

	for (i = 0; i < control->functions; i++)
		if (vaddr - control->function[i].start < control->function[i].size)
			return &control->function[i];
	return NULL;
}

/* Whether the block that ran before lies in a function of that kind. */
static bool comes_from(unsigned int cpu, uint64_t kind)
{
	const struct function *caller = function_at(cpus[cpu].last);

	return caller && caller->kind == kind;
}

/*
 * A block that begins one of the functions: the block before it ended with the call. A function
 * that copies may continue in another: that is one copy, for whoever called the first.
 */
static void on_copying(unsigned int cpu, void *data)
{
	(void)data;
	if (cpu >= MOST_CPUS || comes_from(cpu, COPYING))
		return;
	cpus[cpu].site = cpus[cpu].last;
	cpus[cpu].call++;
}

/* One function of the DMA API may call another: a driver has called the first. */
static void on_dma_api(unsigned int cpu, void *data)
{
	(void)data;
	if (cpu < MOST_CPUS && !comes_from(cpu, DMA_API))
		cpus[cpu].driver = cpus[cpu].last;
}

static void on_block(unsigned int cpu, void *last)
{
	if (cpu < MOST_CPUS)
		cpus[cpu].last = (uintptr_t)last;
}

/* User programs have the lower half of the addresses; what they do is not the kernel's. */
static bool of_kernel(uint64_t vaddr)
{
	return vaddr >> 63;
}

static void on_translation(struct qemu_plugin_tb *block)
{
	size_t count = qemu_plugin_tb_n_insns(block), i;
	uint64_t first = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(block, 0));
	uint64_t last = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(block, count - 1));
	const struct function *function;

	if (!of_kernel(first))
		return;
	function = function_at(first);
	if (function && function->start == first)
		qemu_plugin_register_vcpu_tb_exec_cb(
			block, function->kind == COPYING ? on_copying : on_dma_api,
			NO_REGISTERS, NULL);
	qemu_plugin_register_vcpu_tb_exec_cb(block, on_block, NO_REGISTERS,
					     (void *)(uintptr_t)last);
	for (i = 0; i < count; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, i);

		qemu_plugin_register_vcpu_mem_cb(insn, on_access, NO_REGISTERS, LOADS_AND_STORES,
						 (void *)(uintptr_t)qemu_plugin_insn_vaddr(insn));
	}
}

/* The one argument: ring=FILE. */
EXPORT int qemu_plugin_install(plugin_id id, const struct qemu_info_t *info, int count,
			       char **arguments)
{
	(void)info;
	if (count == 1 && !strncmp(arguments[0], "ring=", 5))
		control = map_file(arguments[0] + 5, HEADER + sizeof(*ring));
	if (!control) {
		fprintf(stderr, "watch: expected ring=FILE, a file with a ring of records\n");
		return 1;
	}
	ring = (struct record *)((char *)control + HEADER);
	register_translated(id);
	return 0;
}
