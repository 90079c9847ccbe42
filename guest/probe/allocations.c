// SPDX-License-Identifier: GPL-2.0-only
/* Memory that the DMA API allocates: who holds it, and by which handle. */
#include <linux/bottom_half.h>
#include <linux/slab.h>

#include "probe.h"

void allocation_release(struct allocation *allocation, bool leak)
{
	if (!leak)
		allocation_return(allocation);
	kfree(allocation);
}

static struct allocation *allocation_new(const struct probe_alloc *request)
{
	struct allocation *allocation = kzalloc(sizeof(*allocation), GFP_KERNEL);

	if (!allocation)
		return NULL;
	allocation->target = target_find(request->device);
	allocation->call = request->call;
	allocation->direction = request->direction;
	allocation->attrs = le16_to_cpu(request->attrs);
	allocation->size = le32_to_cpu(request->size);
	return allocation;
}

static int request_fault(struct call *call, const struct probe_alloc *request)
{
	if (!target_find(request->device))
		return PROBE_NO_DEVICE;
	if (request->call < PROBE_ALLOC_COHERENT || request->call > PROBE_ALLOC_MANAGED)
		return PROBE_BAD_VALUE;
	if (request->direction > DMA_FROM_DEVICE)
		return PROBE_BAD_VALUE;
	if (request->call == PROBE_ALLOC_NONCONTIGUOUS &&
	    le16_to_cpu(request->attrs) & ~DMA_ATTR_ALLOC_SINGLE_PAGES)
		return PROBE_BAD_VALUE;	/* the kernel warns */
	if (request->gfp < PROBE_GFP_KERNEL || request->gfp > PROBE_GFP_BOTTOM_HALF)
		return PROBE_BAD_VALUE;
	if (request->gfp == PROBE_GFP_BOTTOM_HALF && request->call == PROBE_ALLOC_POOL)
		return PROBE_BAD_VALUE;	/* making a dma_pool sleeps */
	if (!request->size)
		return PROBE_BAD_RANGE;
	if (xa_load(&call->context->allocations, le16_to_cpu(request->allocation)))
		return PROBE_HANDLE_USED;
	return 0;
}

static int allocation_keep(struct call *call, __le16 handle, struct allocation *allocation)
{
	struct probe_allocated *answer;

	if (xa_insert(&call->context->allocations, le16_to_cpu(handle), allocation, GFP_KERNEL)) {
		allocation_release(allocation, false);
		return PROBE_NO_MEMORY;
	}
	answer = call_answer(call, sizeof(*answer));
	answer->virt = cpu_to_le64((uintptr_t)allocation->virt);
	answer->dma_addr = cpu_to_le64(allocation->dma_addr);
	answer->phys = cpu_to_le64(virt_phys(allocation->virt));
	return 0;
}

static bool obtain(struct allocation *allocation, u8 gfp)
{
	bool obtained;

	if (gfp == PROBE_GFP_KERNEL)
		return allocation_obtain(allocation, GFP_KERNEL | __GFP_NOWARN);
	if (gfp == PROBE_GFP_BOTTOM_HALF)
		local_bh_disable();
	obtained = allocation_obtain(allocation, GFP_ATOMIC | __GFP_NOWARN);
	if (gfp == PROBE_GFP_BOTTOM_HALF)
		local_bh_enable();
	return obtained;
}

/* What the kernel does not give is -ENOMEM, silently: that may be what a test wants. */
int call_alloc(struct call *call)
{
	const struct probe_alloc *request = call->request;
	struct allocation *allocation;
	int status = request_fault(call, request);

	if (status)
		return status;
	allocation = allocation_new(request);
	if (!allocation)
		return PROBE_NO_MEMORY;
	if (!obtain(allocation, request->gfp)) {
		kfree(allocation);
		return -ENOMEM;
	}
	return allocation_keep(call, request->allocation, allocation);
}

int call_free(struct call *call)
{
	const struct probe_id *request = call->request;
	u16 handle = le16_to_cpu(request->value);
	struct allocation *allocation = xa_erase(&call->context->allocations, handle);

	if (!allocation)
		return PROBE_NO_HANDLE;
	allocation_release(allocation, false);
	return 0;
}
