/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does this machine keep a tag for each granule (16 bytes) of memory? A program for EL1 at TEXT that
 * gives the granules of one page different tags, then reads each tag and loads from each granule
 * by it, and says "tags: right" or "tags: wrong" on the UART (harness/machine/memory_tags.py).
 */
	.arch	armv8.5-a+memtag

#define PAGE 0x40400000
#define PAGE_SIZE 0x1000
#define GRANULE 16
#define UART 0x09000000
#define SYSTEM_OFF 0x84000008		/* PSCI 0.2 */

/* Arm DDI 0487, D23.2: the fields of the system registers. */
#define MAIR 0xf000			/* attribute 0: Device-nGnRnE; 1: Tagged Normal */
#define TCR (25 | 3 << 12 | 1 << 23 | 1 << 37)	/* T0SZ: 39 bits; SH0; EPD1; TBI0 */
#define SCTLR (1 << 0 | 1 << 2 | 1 << 12 | 1 << 40 | 1 << 43)	/* M, C, I; TCF: faults; ATA */

/* The same, D8.3: blocks of 1 GiB with the access flag. */
#define DEVICE (1 << 0 | 1 << 10)
#define TAGGED (1 << 0 | 1 << 2 | 3 << 8 | 1 << 10 | 0x40000000)

	/* The address of the granule at x20 with its tag: unlike those of its neighbours. */
	.macro	tagged to
	lsr	\to, x20, #4
	add	\to, \to, x20, lsr #8
	and	\to, \to, #0xf
	orr	\to, x20, \to, lsl #56
	.endm

	.text
	.globl	_start
_start:
	adr	x0, vectors
	msr	vbar_el1, x0
	ldr	x0, =MAIR
	msr	mair_el1, x0
	ldr	x0, =TCR
	msr	tcr_el1, x0
	adr	x0, table
	msr	ttbr0_el1, x0
	isb
	mrs	x0, sctlr_el1
	ldr	x1, =SCTLR
	orr	x0, x0, x1
	msr	sctlr_el1, x0
	isb
	msr	tco, #0

	ldr	x20, =PAGE
	add	x21, x20, #PAGE_SIZE
1:	tagged	x0
	stg	x0, [x0]
	add	x20, x20, #GRANULE
	cmp	x20, x21
	b.ne	1b

	ldr	x20, =PAGE
2:	tagged	x0
	mov	x1, x20
	ldg	x1, [x1]
	cmp	x0, x1
	b.ne	wrong
	ldr	x2, [x0]
	add	x20, x20, #GRANULE
	cmp	x20, x21
	b.ne	2b

	adr	x1, is_right
	b	say
wrong:
	adr	x1, is_wrong
say:
	ldr	x2, =UART
3:	ldrb	w3, [x1], #1
	cbz	w3, 4f
	str	w3, [x2]
	b	3b
4:	ldr	x0, =SYSTEM_OFF
	hvc	#0
	b	.

is_right: .asciz "tags: right\n"
is_wrong: .asciz "tags: wrong\n"

	.balign	0x800
vectors:				// a CPU without tags, or a fault
	.rept	16
	.balign	0x80
	b	wrong
	.endr

	.balign	0x1000
table:					// level 1, mapped as it is
	.quad	DEVICE, TAGGED
	.fill	510, 8, 0
