// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls with whatever the request says, as a buggy driver makes them: twice,
 * too long, in the wrong direction. They may bring the kernel down.
 */
#include "probe.h"

int call_raw_unmap(struct call *call)
{
	const struct probe_raw_unmap *request = call->request;
	struct target *target = target_find(request->device);

	if (!target)
		return PROBE_NO_DEVICE;
	dma_unmap_single_attrs(target->dev, le64_to_cpu(request->dma_addr),
			       le32_to_cpu(request->length), request->direction,
			       le16_to_cpu(request->attrs));
	return 0;
}

int call_raw_sync(struct call *call)
{
	const struct probe_raw_sync *request = call->request;
	struct target *target = target_find(request->device);
	dma_addr_t dma_addr = le64_to_cpu(request->dma_addr);
	u32 length = le32_to_cpu(request->length);

	if (!target)
		return PROBE_NO_DEVICE;
	if (request->target == PROBE_SYNC_CPU)
		dma_sync_single_for_cpu(target->dev, dma_addr, length, request->direction);
	else if (request->target == PROBE_SYNC_DEVICE)
		dma_sync_single_for_device(target->dev, dma_addr, length, request->direction);
	else
		return PROBE_BAD_VALUE;
	return 0;
}
