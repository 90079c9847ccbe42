/* SPDX-License-Identifier: Apache-2.0 */
/* What assembly and C have in common; harness/machine/fence/firmware.py has the same numbers. */
#ifndef CONSTANTS_H
#define CONSTANTS_H

/* Where the harness put what the firmware shall do: struct orders. */
#define ORDERS 0x10000

/* The CPUs' own memory, CPU_SIZE bytes each, in RAM that the kernel is not given. */
#define CPU_MEMORY 0x40100000
#define CPU_SHIFT 12
#define CPU_SIZE (1 << CPU_SHIFT)
#define CPUS 8

/* Bytes of struct frame. */
#define FRAME_SIZE 256

#endif
