/* SPDX-License-Identifier: Apache-2.0 */
/* Entry and exit of the firmware: reset, PSCI's CPU_ON, exceptions from EL1 and EL0. */
#include "constants.h"

	.macro	own_stack
	mrs	x9, mpidr_el1
	and	x9, x9, #CPUS - 1
	add	x9, x9, #1
	ldr	x10, =CPU_MEMORY
	add	x10, x10, x9, lsl #CPU_SHIFT
	mov	sp, x10
	.endm

	.section .text.entry, "ax"
	.globl	entry
entry:					// CPU 0 after a reset: PSCI keeps all others off
	own_stack
	bl	start

	.globl	start_secondary
start_secondary:			// another CPU, started through PSCI by answer_smc()
	own_stack
	sub	x10, x10, #CPU_SIZE
	ldp	x0, x1, [x10]
	bl	start_at

	.globl	enter
enter:					// leave to x0 at EL1 with interrupts masked; x1 is its argument
	msr	elr_el2, x0
	mov	x0, #0x3c5
	msr	spsr_el2, x0
	mov	x0, x1
	mov	x1, xzr
	mov	x2, xzr
	mov	x3, xzr
	isb
	eret

	.globl	halt
halt:
	wfi
	b	halt

	.globl	call_psci
call_psci:				// QEMU answers this, as EL3 does on a board
	smc	#0
	ret

	.ltorg

	.macro	unexpected
	.balign	0x80
	b	halt
	.endm

	.macro	from_below
	.balign	0x80
	b	save
	.endm

	.text
	.balign	0x800
	.globl	vectors
vectors:				// Arm DDI 0487, D1.3.1.2
	.rept	8			// of the firmware itself
	unexpected
	.endr
	.rept	2			// of AArch64, then of AArch32
	from_below			// synchronous
	.rept	3			// interrupts and SErrors go to EL1
	unexpected
	.endr
	.endr

	.balign	0x80
save:
	sub	sp, sp, #FRAME_SIZE
	stp	x0, x1, [sp, #16 * 0]
	stp	x2, x3, [sp, #16 * 1]
	stp	x4, x5, [sp, #16 * 2]
	stp	x6, x7, [sp, #16 * 3]
	stp	x8, x9, [sp, #16 * 4]
	stp	x10, x11, [sp, #16 * 5]
	stp	x12, x13, [sp, #16 * 6]
	stp	x14, x15, [sp, #16 * 7]
	stp	x16, x17, [sp, #16 * 8]
	stp	x18, x19, [sp, #16 * 9]
	stp	x20, x21, [sp, #16 * 10]
	stp	x22, x23, [sp, #16 * 11]
	stp	x24, x25, [sp, #16 * 12]
	stp	x26, x27, [sp, #16 * 13]
	stp	x28, x29, [sp, #16 * 14]
	stp	x30, xzr, [sp, #16 * 15]
	mov	x0, sp
	bl	take_exception
	ldp	x0, x1, [sp, #16 * 0]
	ldp	x2, x3, [sp, #16 * 1]
	ldp	x4, x5, [sp, #16 * 2]
	ldp	x6, x7, [sp, #16 * 3]
	ldp	x8, x9, [sp, #16 * 4]
	ldp	x10, x11, [sp, #16 * 5]
	ldp	x12, x13, [sp, #16 * 6]
	ldp	x14, x15, [sp, #16 * 7]
	ldp	x16, x17, [sp, #16 * 8]
	ldp	x18, x19, [sp, #16 * 9]
	ldp	x20, x21, [sp, #16 * 10]
	ldp	x22, x23, [sp, #16 * 11]
	ldp	x24, x25, [sp, #16 * 12]
	ldp	x26, x27, [sp, #16 * 13]
	ldp	x28, x29, [sp, #16 * 14]
	ldr	x30, [sp, #16 * 15]
	add	sp, sp, #FRAME_SIZE
	eret
