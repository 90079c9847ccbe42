// SPDX-License-Identifier: Apache-2.0
/*
 * A TCG plugin for QEMU: how many instructions of the kernel's each CPU has executed.
 *
 * The numbers stand in a file that the harness maps as well, so that it reads them at any time
 * without the guest. A block of code that a fault leaves counts in full.
 */
#include <stdio.h>
#include <string.h>

#include "api.h"

#define MOST_CPUS	64

/* The file. */
struct counts {
	uint64_t executed[MOST_CPUS];
};

static struct counts *counts;

/* Each CPU has a thread of its own, and a number of its own. */
static void on_block(unsigned int cpu, void *instructions)
{
	uint64_t *number = &counts->executed[cpu];

	if (cpu < MOST_CPUS)
		__atomic_store_n(number, *number + (uintptr_t)instructions, __ATOMIC_RELAXED);
}

/* User programs have the lower half of the addresses; what they do is not the kernel's. */
static void on_translation(struct qemu_plugin_tb *block)
{
	uint64_t first = qemu_plugin_insn_vaddr(qemu_plugin_tb_get_insn(block, 0));
	void *instructions = (void *)(uintptr_t)qemu_plugin_tb_n_insns(block);

	if (first >> 63)
		qemu_plugin_register_vcpu_tb_exec_cb(block, on_block, NO_REGISTERS, instructions);
}

/* The one argument: counts=FILE. */
EXPORT int qemu_plugin_install(plugin_id id, const struct qemu_info_t *info, int count,
			       char **arguments)
{
	(void)info;
	if (count == 1 && !strncmp(arguments[0], "counts=", 7))
		counts = map_file(arguments[0] + 7, sizeof(*counts));
	if (!counts) {
		fprintf(stderr, "count: expected counts=FILE, a file with room for all counts\n");
		return 1;
	}
	register_translated(id);
	return 0;
}
