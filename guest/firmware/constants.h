/* SPDX-License-Identifier: Apache-2.0 */
/* Constants for assembly and C; firmware.py and cache_log.py of harness/machine/fence have them too. */
#ifndef CONSTANTS_H
#define CONSTANTS_H

/* Address of the struct orders that the harness wrote. */
#define ORDERS 0x10000

/* The CPUs' own memory, CPU_SIZE bytes each, in RAM that the kernel does not get. */
#define CPU_MEMORY 0x40100000
#define CPU_SHIFT 12
#define CPU_SIZE (1 << CPU_SHIFT)
#define CPUS 8

/* Each CPU's log of cache maintenance, CACHE_LOG_SIZE bytes, where QEMU left a devicetree. */
#define CACHE_LOG 0x40000000
#define CACHE_LOG_SHIFT 17
#define CACHE_LOG_SIZE (1 << CACHE_LOG_SHIFT)
#define KEPT_CACHE_OPERATIONS 5400

/* BOUNCED_RANGES struct bounced, which the harness writes. */
#define BOUNCED_TABLE 0x40108000
#define BOUNCED_RANGES 8

/* Bytes of struct frame. */
#define FRAME_SIZE 256

#endif
