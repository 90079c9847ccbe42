/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Firmware that protects the fence from the kernel: at EL2 it programs the SMMU, hides the SMMU, the
 * flash and its own RAM with stage 2, and starts the kernel at EL1.
 */
#ifndef FIRMWARE_H
#define FIRMWARE_H

#include <stdbool.h>
#include <stdint.h>

#include "constants.h"

#define read_sysreg(name)                                               \
	({                                                              \
		uint64_t value_;                                        \
		__asm__ volatile("mrs %0, " #name : "=r"(value_));      \
		value_;                                                 \
	})

#define NOWHERE 0x0000fffffffff000UL /* physical(): the address is not mapped */

#define write_sysreg(name, value) __asm__ volatile("msr " #name ", %0" ::"r"((uint64_t)(value)))

/* A device register of 4 or 8 bytes, and the value to write or to expect. */
struct reg {
	uint64_t address, width, value;
};

/* The orders of the harness: first all writes, then all checks of registers. */
struct orders {
	uint64_t stage2, kernel, devicetree;
	uint64_t logs_caches; /* 1: log the kernel's cache maintenance */
	uint64_t writes, checks;
	struct reg regs[];
};

/* An access of the kernel's that stage 2 refused: guest-physical address, ESR_EL2, ELR_EL2. */
struct refusal {
	uint64_t address, syndrome, pc;
};

#define KEPT_REFUSALS 32

/* A CPU's own memory: its start address, its refused accesses, and, up to the end, its stack. */
struct cpu {
	uint64_t entry, context;
	uint64_t refused; /* number since the reset; the last KEPT_REFUSALS are kept */
	uint64_t reserved;
	struct refusal refusals[KEPT_REFUSALS];
};

/*
 * A "dc" by virtual address: the physical address of its line, CRm of the instruction, and
 * COMPLETED once the CPU has executed "dsb sy" after it; ELR_EL2; a hash of the line's content at
 * that moment, or, of a bounced line, of its original's when the operation was completed.
 */
struct cache_operation {
	uint64_t line, pc, content;
};

#define COMPLETED (1UL << 63)

/* The lines of [base, base + size) are bounced: those of the CPU's buffer begin at original. */
struct bounced {
	uint64_t base, size, original;
};

/* A CPU's log; the last KEPT_CACHE_OPERATIONS are kept. */
struct cache_log {
	uint64_t count; /* since the reset */
	uint64_t line_size;
	uint64_t completed; /* all before this number are, or never will be */
	uint64_t steps; /* how far the CPU is still followed to its barrier; 0: it is not */
	uint64_t debug; /* the kernel's MDSCR_EL1, while it is */
	uint64_t reserved;
	struct cache_operation operations[KEPT_CACHE_OPERATIONS];
};

/* The kernel's registers at the time of an exception; x[31] only keeps the stack aligned. */
struct frame {
	uint64_t x[32];
};

_Static_assert(sizeof(struct frame) == FRAME_SIZE, "entry.S saves a frame");
_Static_assert(sizeof(struct cache_log) <= CACHE_LOG_SIZE, "a log is larger than its memory");
_Static_assert(sizeof(struct cpu) + 4 * FRAME_SIZE < CPU_SIZE, "a stack needs room");

static inline struct cpu *cpu_memory(uint64_t number)
{
	return (struct cpu *)(CPU_MEMORY + (number << CPU_SHIFT));
}

static inline struct cache_log *cache_log(uint64_t number)
{
	return (struct cache_log *)(CACHE_LOG + (number << CACHE_LOG_SHIFT));
}

static inline uint64_t this_cpu(void)
{
	return read_sysreg(mpidr_el1) & (CPUS - 1);
}

/* entry.S */
extern char vectors[];
void start_secondary(void);
_Noreturn void enter(uint64_t pc, uint64_t x0);
_Noreturn void halt(void);
uint64_t call_psci(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3);

/* start.c */
_Noreturn void start(void);
_Noreturn void start_at(uint64_t pc, uint64_t x0);
_Noreturn void die(const char *why);

/* caches.c */
void forget_cache_operations(void);
void log_cache_operation(const struct frame *frame, uint64_t syndrome);
void complete_cache_operations(struct cache_log *log);
uint64_t physical(uint64_t address);

/* barriers.c */
void follow_to_barrier(void);
void follow(void);
void stop_following(void);

/* exceptions.c */
void take_exception(struct frame *frame);

/* psci.c: the answer to the SMC whose arguments are x0 to x3. */
uint64_t answer_smc(uint64_t function, uint64_t x1, uint64_t x2, uint64_t x3);

#endif
