// SPDX-License-Identifier: GPL-2.0-only
/* Mappings that an interrupt makes and ends, as a network driver's handler does. */
#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/smp.h>

#include "probe.h"

/* What every CPU does, and the first error that one of them met. */
struct errand {
	struct device *dev;
	void *virt;
	u32 length;
	atomic_t error;
};

static void errand_fail(struct errand *errand, int error)
{
	atomic_cmpxchg(&errand->error, 0, error);
}

static void errand_run(void *data)
{
	struct errand *errand = data;
	dma_addr_t dma_addr = dma_map_single_attrs(errand->dev, errand->virt, errand->length,
						   DMA_TO_DEVICE, DMA_ATTR_NO_WARN);

	if (dma_mapping_error(errand->dev, dma_addr)) {
		errand_fail(errand, -ENOMEM);
		return;
	}
	if (memcmp(phys_to_virt(device_phys(errand->dev, dma_addr)), errand->virt,
		   errand->length))
		errand_fail(errand, -EILSEQ);
	dma_unmap_single(errand->dev, dma_addr, errand->length, DMA_TO_DEVICE);
}

int call_interrupt(struct call *call)
{
	const struct probe_interrupt *request = call->request;
	struct target *target = target_find(request->device);
	struct errand errand = { .length = le32_to_cpu(request->length) };
	struct buffer *buffer;
	int status = buffer_slice(call->context, request->buffer, 0, errand.length, &buffer);

	if (!target)
		return PROBE_NO_DEVICE;
	if (status)
		return status;
	errand.dev = target->dev;
	errand.virt = buffer->virt;
	smp_call_function(errand_run, &errand, true);
	return atomic_read(&errand.error);
}
