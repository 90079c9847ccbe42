// SPDX-License-Identifier: GPL-2.0-only
/* The calls of the DMA API that allocate memory, each with the one that frees it. */
#include <linux/dmapool.h>

#include "probe.h"

static bool pool_obtain(struct allocation *a, gfp_t gfp)
{
	struct device *dev = a->target->dev;

	a->pool = dma_pool_create("probe", dev, a->size, 1, 0);
	if (!a->pool)
		return false;
	a->virt = dma_pool_zalloc(a->pool, gfp, &a->dma_addr);
	if (a->virt)
		return true;
	dma_pool_destroy(a->pool);
	return false;
}

static bool noncontiguous_obtain(struct allocation *a, gfp_t gfp)
{
	struct device *dev = a->target->dev;

	a->table = dma_alloc_noncontiguous(dev, a->size, a->direction, gfp, a->attrs);
	if (!a->table)
		return false;
	a->dma_addr = sg_dma_address(a->table->sgl);
	a->virt = dma_vmap_noncontiguous(dev, a->size, a->table);
	if (a->virt)
		return true;
	dma_free_noncontiguous(dev, a->size, a->table, a->direction);
	return false;
}

bool allocation_obtain(struct allocation *a, gfp_t gfp)
{
	struct device *dev = a->target->dev;

	switch (a->call) {
	case PROBE_ALLOC_COHERENT:
		a->virt = dma_alloc_attrs(dev, a->size, &a->dma_addr, gfp, a->attrs);
		return a->virt;
	case PROBE_ALLOC_PAGES:
		a->page = dma_alloc_pages(dev, a->size, &a->dma_addr, a->direction, gfp);
		a->virt = a->page ? page_address(a->page) : NULL;
		return a->page;
	case PROBE_ALLOC_NONCOHERENT:
		a->virt = dma_alloc_noncoherent(dev, a->size, &a->dma_addr, a->direction, gfp);
		return a->virt;
	case PROBE_ALLOC_NONCONTIGUOUS:
		return noncontiguous_obtain(a, gfp);
	case PROBE_ALLOC_POOL:
		return pool_obtain(a, gfp);
	case PROBE_ALLOC_MANAGED:
		a->virt = dmam_alloc_attrs(dev, a->size, &a->dma_addr, gfp, a->attrs);
		return a->virt;
	default:
		return false;
	}
}

void allocation_return(struct allocation *a)
{
	struct device *dev = a->target->dev;

	switch (a->call) {
	case PROBE_ALLOC_COHERENT:
		dma_free_attrs(dev, a->size, a->virt, a->dma_addr, a->attrs);
		break;
	case PROBE_ALLOC_PAGES:
		dma_free_pages(dev, a->size, a->page, a->dma_addr, a->direction);
		break;
	case PROBE_ALLOC_NONCOHERENT:
		dma_free_noncoherent(dev, a->size, a->virt, a->dma_addr, a->direction);
		break;
	case PROBE_ALLOC_NONCONTIGUOUS:
		dma_vunmap_noncontiguous(dev, a->virt);
		dma_free_noncontiguous(dev, a->size, a->table, a->direction);
		break;
	case PROBE_ALLOC_POOL:
		dma_pool_free(a->pool, a->virt, a->dma_addr);
		dma_pool_destroy(a->pool);
		break;
	case PROBE_ALLOC_MANAGED:
		dmam_free_coherent(dev, a->size, a->virt, a->dma_addr);
		break;
	}
}
