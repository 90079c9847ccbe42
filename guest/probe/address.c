// SPDX-License-Identifier: GPL-2.0-only
/* The physical addresses behind the DMA addresses and the pointers of the kernel. */
#include <linux/dma-direct.h>
#include <linux/mm.h>

#include "probe.h"

/* Where a DMA address leads when no IOMMU is between. */
u64 device_phys(struct device *dev, dma_addr_t dma_addr)
{
	return dma_to_phys(dev, dma_addr);
}

/* The memory behind a kernel address, which may be an alias; PHYS_UNKNOWN if none is. */
u64 virt_phys(const void *virt)
{
	if (is_vmalloc_addr(virt))
		return page_to_phys(vmalloc_to_page(virt)) + offset_in_page(virt);
	return virt_addr_valid(virt) ? virt_to_phys((void *)virt) : PHYS_UNKNOWN;
}
