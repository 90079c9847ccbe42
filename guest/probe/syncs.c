// SPDX-License-Identifier: GPL-2.0-only
/* Handing a mapping over between CPU and device. */
#include "probe.h"

static void sync_part(struct mapping *mapping, u8 target, u32 offset, u32 length)
{
	struct device *dev = mapping->target->dev;

	if (target == PROBE_SYNC_CPU)
		dma_sync_single_range_for_cpu(dev, mapping->dma_addr, offset, length,
					      mapping->direction);
	else
		dma_sync_single_range_for_device(dev, mapping->dma_addr, offset, length,
						 mapping->direction);
}

static void sync_sg(struct mapping *mapping, u8 target)
{
	struct device *dev = mapping->target->dev;

	if (target == PROBE_SYNC_CPU)
		dma_sync_sgtable_for_cpu(dev, &mapping->table, mapping->direction);
	else
		dma_sync_sgtable_for_device(dev, &mapping->table, mapping->direction);
}

int call_sync(struct call *call)
{
	const struct probe_sync *request = call->request;
	u32 offset = le32_to_cpu(request->offset), length = le32_to_cpu(request->length);
	struct mapping *mapping = xa_load(&call->context->mappings,
					  le16_to_cpu(request->mapping));

	if (!mapping)
		return PROBE_NO_HANDLE;
	if (request->target != PROBE_SYNC_CPU && request->target != PROBE_SYNC_DEVICE)
		return PROBE_BAD_VALUE;
	if (mapping->kind == MAPPED_RESOURCE)
		return PROBE_BAD_VALUE;
	if (mapping->kind == MAPPED_SG) {
		if (offset || length)
			return PROBE_BAD_RANGE;
		sync_sg(mapping, request->target);
		return 0;
	}
	if (!length && !offset)
		length = mapping->size;
	if (!length || offset > mapping->size || length > mapping->size - offset)
		return PROBE_BAD_RANGE;
	sync_part(mapping, request->target, offset, length);
	return 0;
}

int call_need_sync(struct call *call)
{
	const struct probe_id *request = call->request;
	struct mapping *mapping = xa_load(&call->context->mappings, le16_to_cpu(request->value));
	u8 *answer;

	if (!mapping)
		return PROBE_NO_HANDLE;
	answer = call_answer(call, sizeof(*answer));
	*answer = dma_need_sync(mapping->target->dev, mapping->dma_addr);
	return 0;
}
