// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of a PCI device for DMA by its peers: a BAR that has pages of its own
 * (drivers/pci/p2pdma.c). One such device is enough; the last one bound is it.
 */
#include <linux/pci-p2pdma.h>

#include "probe.h"

#define PEER_BAR	2	/* of QEMU's ivshmem: the shared memory itself */

static struct pci_dev *provider;

static void forget_provider(void *pdev)
{
	if (provider == pdev)
		provider = NULL;
}

/* The device stays a probe target where the CPU cannot reach its BAR, only without memory. */
int peer_provide(struct pci_dev *pdev)
{
	int error = pci_p2pdma_add_resource(pdev, PEER_BAR, 0, 0);

	if (error) {
		pci_info(pdev, "no peer-to-peer memory: %d\n", error);
		return 0;
	}
	provider = pdev;
	return devm_add_action_or_reset(&pdev->dev, forget_provider, pdev);
}

void *peer_obtain(u32 size)
{
	return provider ? pci_alloc_p2pmem(provider, size) : NULL;
}

void peer_return(void *virt, u32 size)
{
	pci_free_p2pmem(provider, virt, size);
}
