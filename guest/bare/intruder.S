/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel that asks its firmware for what it must not be given, notes the answers, and says "done"
 * on the UART. harness/suite/properties/test_firmware_calls.py reads them.
 */
#define ANSWERS 0x40300000	/* eight bytes each, in the order of the calls below */
#define SECOND_CPU 0x40301000	/* CurrentEL and x0 of the CPU that was started */
#define ABORTS 0x40302000	/* their number, nothing, then ESR_EL1 and FAR_EL1 of each */
#define UART 0x09000000

#define HIDDEN_RAM 0x40100000
#define FLASH 0x00100000

#define OLD_CPU_ON 0x95c1ba60	/* before PSCI 0.2 (QEMU, target/arm/kvm-consts.h) */
#define CPU_SUSPEND 0xc4000001
#define CPU_ON 0xc4000003
#define FETCH_ABORT 0x21

	/* Call by SMC or HVC; the answer is noted. */
	.macro	ask how, function, x1, x2
	ldr	x0, =\function
	ldr	x1, =\x1
	ldr	x2, =\x2
	mov	x3, #7
	\how	#0
	str	x0, [x20], #8
	.endm

	.text
	.globl	_start
_start:
	ldr	x20, =ANSWERS
	adr	x0, vectors
	msr	vbar_el1, x0
	isb
	mrs	x0, CurrentEL
	str	x0, [x20], #8
	ask	smc, OLD_CPU_ON, 1, second
	ask	smc, CPU_SUSPEND, 0x10000, second
	ask	smc, CPU_ON, 8, second
	ask	smc, CPU_ON, 0x100, second
	ask	smc, CPU_ON, 0, second
	ask	hvc, CPU_ON, 1, second

	ldr	x5, =HIDDEN_RAM
	ldp	x6, x7, [x5]		// two registers: the syndrome does not say which
	ldr	x5, =FLASH
	blr	x5

	ask	smc, CPU_ON, 1, second
	b	.

second:
	ldr	x20, =SECOND_CPU
	mrs	x1, CurrentEL
	stp	x1, x0, [x20]
	adr	x1, done
	ldr	x2, =UART
1:	ldrb	w3, [x1], #1
	cbz	w3, 2f
	str	w3, [x2]
	b	1b
2:	b	.

done:	.asciz	"intruder: done\n"

	.balign	0x800
vectors:
	.rept	4
	.balign	0x80
	b	.
	.endr
	.balign	0x80			// synchronous, from this EL: note it and go on
	ldr	x10, =ABORTS
	ldr	x11, [x10]
	add	x11, x11, #1
	str	x11, [x10]
	add	x10, x10, x11, lsl #4
	mrs	x12, esr_el1
	mrs	x13, far_el1
	stp	x12, x13, [x10]
	mrs	x13, elr_el1
	add	x13, x13, #4
	lsr	x12, x12, #26
	cmp	x12, #FETCH_ABORT
	csel	x13, x30, x13, eq	// back to where the branch was
	msr	elr_el1, x13
	eret
	.ltorg
