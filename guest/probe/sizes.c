// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sizes that the kernel was built with, for the harness, which reads them from the file of the
 * module (harness/kernel/geometry.py): limits and alignments of the DMA API follow from them.
 */
#include <linux/mm.h>
#include <linux/swiotlb.h>

static const u32 probe_sizes[] __used __section(".probe.sizes") = {
	PAGE_SIZE, IO_TLB_SIZE, IO_TLB_SEGSIZE,
};
