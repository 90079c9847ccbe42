/* SPDX-License-Identifier: Apache-2.0 */
/* Constants for assembly and C; harness/machine/fence/firmware.py has the same numbers. */
#ifndef CONSTANTS_H
#define CONSTANTS_H

/* Address of the struct orders that the harness wrote. */
#define ORDERS 0x10000

/* The CPUs' own memory, CPU_SIZE bytes each, in RAM that the kernel does not get. */
#define CPU_MEMORY 0x40100000
#define CPU_SHIFT 12
#define CPU_SIZE (1 << CPU_SHIFT)
#define CPUS 8

/* Bytes of struct frame. */
#define FRAME_SIZE 256

#endif
