// SPDX-License-Identifier: Apache-2.0
/*
 * Follows the kernel, instruction by instruction, from a cache operation to the "dsb sy" that waits
 * for it: nothing traps a barrier. The kernel is left alone again where it leaves the call: when it
 * returns to user space, or takes a lock, whose exclusive load and store no exception may part. It
 * is not followed to another CPU. An exclusive load and store in a plain loop (exclusive.h) run as a
 * whole: kernels that count their lines (gcov) have one in every block.
 */
#include "exclusive.h"
#include "firmware.h"

#define FOLLOWED 4096 /* instructions, after the last cache operation */

/* Arm DDI 0487, D19.3 (debug), C6.2 (instructions). */
#define MDSCR_SS (1UL << 0)
#define MDSCR_MDE (1UL << 15)
#define MDCR_TDE (1UL << 8)
#define SPSR_SS (1UL << 21)
#define BREAKPOINT_AT_EL1 (0xf << 5 | 1 << 1 | 1) /* DBGBCR: BAS, PMC, E */
#define VECTORS_SIZE 0x800

#define DSB_SY 0xd5033f9fU
#define ERET 0xd69f03e0U

static uint32_t instruction_at(uint64_t pc)
{
	uint64_t place = physical(pc);

	return place == NOWHERE ? ERET : *(volatile uint32_t *)place;
}

static void step(struct cache_log *log)
{
	write_sysreg(dbgbcr5_el1, 0);
	write_sysreg(mdscr_el1, log->debug | MDSCR_SS);
	write_sysreg(mdcr_el2, read_sysreg(mdcr_el2) | MDCR_TDE);
	write_sysreg(spsr_el2, read_sysreg(spsr_el2) | SPSR_SS);
}

/* Let the kernel run up to pc: where an exception of its own returns to, or behind a loop. */
static void wait_for(struct cache_log *log, uint64_t pc)
{
	write_sysreg(mdcr_el2, read_sysreg(mdcr_el2) | MDCR_TDE);
	write_sysreg(dbgbvr5_el1, pc);
	write_sysreg(dbgbcr5_el1, BREAKPOINT_AT_EL1);
	write_sysreg(mdscr_el1, log->debug | MDSCR_MDE);
}

void stop_following(void)
{
	struct cache_log *log = cache_log(this_cpu());

	write_sysreg(dbgbcr5_el1, 0);
	write_sysreg(mdscr_el1, log->debug);
	write_sysreg(mdcr_el2, read_sysreg(mdcr_el2) & ~MDCR_TDE);
	log->steps = 0;
}

/* Look at the kernel's next instruction, and execute it. */
void follow(void)
{
	struct cache_log *log = cache_log(this_cpu());
	uint64_t pc = read_sysreg(elr_el2), behind = 0;
	uint32_t instruction = instruction_at(pc);

	if (is_exclusive(instruction, true))
		behind = behind_loop(pc, instruction_at);

	if (pc - read_sysreg(vbar_el1) < VECTORS_SIZE) {
		wait_for(log, read_sysreg(elr_el1));
	} else if (instruction == DSB_SY) {
		complete_cache_operations(log);
		stop_following();
	} else if (behind && log->steps > 1) {
		log->steps--;
		wait_for(log, behind);
	} else if (instruction == ERET || is_exclusive(instruction, true) || log->steps <= 1) {
		stop_following();
	} else {
		log->steps--;
		step(log);
	}
}

void follow_to_barrier(void)
{
	struct cache_log *log = cache_log(this_cpu());

	if (!log->steps)
		log->debug = read_sysreg(mdscr_el1);
	log->steps = FOLLOWED;
	follow();
}
