/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loops around an exclusive load and store, as compilers write them for an atomic addition:
 *
 *	1:	ldxr	x1, [x0]
 *		add	x1, x1, #1
 *		stxr	w2, x1, [x0]
 *		cbnz	w2, 1b
 *
 * Arm DDI 0487, C4.1 and C6.2 (instructions).
 */
#ifndef EXCLUSIVE_H
#define EXCLUSIVE_H

#include <stdbool.h>
#include <stdint.h>

#define LONGEST_LOOP 8 /* instructions, from an exclusive load on */

/* Reads the instruction at an address. */
typedef uint32_t reader(uint64_t pc);

/* CASP has the bits of a pair of 32 bits, which no exclusive load or store has. */
static inline bool is_exclusive(uint32_t instruction, bool load)
{
	bool casp = (instruction & 0x80200000U) == 0x00200000U;

	return (instruction & 0x3fc00000U) == (load ? 0x08400000U : 0x08000000U) && !casp;
}

/* Branches, exceptions and system instructions: none of them is within such a loop. */
static inline bool may_leave(uint32_t instruction)
{
	return (instruction & 0x1c000000U) == 0x14000000U;
}

static inline bool is_cbnz(uint32_t instruction)
{
	return (instruction & 0x7f000000U) == 0x35000000U;
}

/* Where a cbnz branches to: imm19, instructions. */
static inline uint64_t cbnz_target(uint64_t pc, uint32_t instruction)
{
	int32_t offset = (int32_t)(instruction << 8) >> 13;

	return pc + (uint64_t)((int64_t)offset * 4);
}

/*
 * The instruction behind the loop around the exclusive load at pc: one that stores exclusively, and
 * whose only branch goes back if that failed. 0 for what is no such loop: a lock waits between load
 * and store, and a loop without a store waits for another CPU.
 */
static inline uint64_t behind_loop(uint64_t pc, reader *instruction_at)
{
	uint32_t failed = 32; /* the register with the result of the store; 32: none yet */

	for (uint64_t at = pc + 4; at < pc + 4 * LONGEST_LOOP; at += 4) {
		uint32_t instruction = instruction_at(at);

		if (is_exclusive(instruction, false)) {
			failed = instruction >> 16 & 31;
		} else if (is_cbnz(instruction)) {
			bool again = failed == (instruction & 31);
			uint64_t target = cbnz_target(at, instruction);

			return again && target <= pc && pc - target < 4 * LONGEST_LOOP ? at + 4 : 0;
		} else if (may_leave(instruction)) {
			return 0;
		}
	}
	return 0;
}

#endif
