// SPDX-License-Identifier: Apache-2.0
/*
 * A TCG plugin for QEMU: how many instructions of the kernel's each CPU has executed.
 *
 * The numbers stand in a file that the harness maps as well, so that it reads them at any time
 * without the guest. A block of code that a fault leaves counts in full.
 *
 * Debian 12 ships no header for plugins; as in harness/jobs/double_fetch/watch.c, what is declared
 * here is of the plugin API's version 1, and since version 7 a call for a translated block gets
 * data of its own instead of the plugin's id.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;

enum { NO_REGISTERS = 0 };

#if PLUGIN_API >= 7
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
					   void (*call)(struct qemu_plugin_tb *, void *),
					   void *data);
#else
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
					   void (*call)(plugin_id, struct qemu_plugin_tb *));
#endif
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *block,
					  void (*call)(unsigned int, void *), int flags,
					  void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);

EXPORT int qemu_plugin_version = PLUGIN_API;

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

#if PLUGIN_API >= 7
static void translated(struct qemu_plugin_tb *block, void *data)
{
	(void)data;
	on_translation(block);
}
#else
static void translated(plugin_id id, struct qemu_plugin_tb *block)
{
	(void)id;
	on_translation(block);
}
#endif

static struct counts *map_file(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *where;

	if (fd < 0)
		return NULL;
	where = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return where == MAP_FAILED ? NULL : where;
}

/* The one argument: counts=FILE. */
EXPORT int qemu_plugin_install(plugin_id id, const struct qemu_info_t *info, int count,
			       char **arguments)
{
	(void)info;
	if (count == 1 && !strncmp(arguments[0], "counts=", 7))
		counts = map_file(arguments[0] + 7);
	if (!counts) {
		fprintf(stderr, "count: expected counts=FILE, a file with room for all counts\n");
		return 1;
	}
#if PLUGIN_API >= 7
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated, NULL);
#else
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
#endif
	return 0;
}
