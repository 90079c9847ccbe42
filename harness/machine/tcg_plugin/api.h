// SPDX-License-Identifier: Apache-2.0
/*
 * What plugins use of QEMU's API for TCG plugins.
 *
 * Debian 12 ships no header for plugins. What is declared here is of the API's version 1 (QEMU 7.2,
 * docs/devel/tcg-plugins.rst and the list of exported names); PLUGIN_API is the number that the
 * QEMU in question wants to be told. Since version 7 (QEMU 11.1) a call for a translated block gets
 * data of its own instead of the plugin's id.
 *
 * A plugin has one source, which defines on_translation() and qemu_plugin_install().
 */
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
typedef uint32_t access_info;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_hwaddr;
struct qemu_info_t;

enum { NO_REGISTERS = 0 };
enum { LOADS_AND_STORES = 3 };

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
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *insn,
				      void (*call)(unsigned int, access_info, uint64_t, void *),
				      int flags, int kinds, void *data);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *block);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *block, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
struct qemu_plugin_hwaddr *qemu_plugin_get_hwaddr(access_info info, uint64_t vaddr);
bool qemu_plugin_hwaddr_is_io(const struct qemu_plugin_hwaddr *place);
uint64_t qemu_plugin_hwaddr_phys_addr(const struct qemu_plugin_hwaddr *place);
bool qemu_plugin_mem_is_store(access_info info);
unsigned int qemu_plugin_mem_size_shift(access_info info);

EXPORT int qemu_plugin_version = PLUGIN_API;

/* What a plugin does about a block of the guest's code that QEMU has translated. */
static void on_translation(struct qemu_plugin_tb *block);

#if PLUGIN_API >= 7
static void translated(struct qemu_plugin_tb *block, void *data)
{
	(void)data;
	on_translation(block);
}

static void register_translated(plugin_id id)
{
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated, NULL);
}
#else
static void translated(plugin_id id, struct qemu_plugin_tb *block)
{
	(void)id;
	on_translation(block);
}

static void register_translated(plugin_id id)
{
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
}
#endif

/* The memory of a file, shared with whoever maps it as well; NULL if it has fewer bytes than that. */
static void *map_file(const char *path, size_t least)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	struct stat stat;
	void *where;

	if (fd < 0 || fstat(fd, &stat) || (size_t)stat.st_size < least)
		return NULL;
	where = mmap(NULL, stat.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return where == MAP_FAILED ? NULL : where;
}
