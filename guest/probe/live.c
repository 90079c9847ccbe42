// SPDX-License-Identifier: GPL-2.0-only
/* What is held, and letting go of it without giving it back. */
#include "probe.h"

static struct probe_live describe(u8 space, void *object)
{
	struct allocation *allocation = object;
	struct mapping *mapping = object;
	struct buffer *buffer = object;

	switch (space) {
	case PROBE_SPACE_MAPPING:
		return (struct probe_live){
			.device = cpu_to_le16(mapping->target->id),
			.dma_addr = cpu_to_le64(mapping->dma_addr),
			.size = cpu_to_le32(mapping->size),
		};
	case PROBE_SPACE_ALLOCATION:
		return (struct probe_live){
			.device = cpu_to_le16(allocation->target->id),
			.dma_addr = cpu_to_le64(allocation->dma_addr),
			.size = cpu_to_le32(allocation->size),
		};
	default:
		return (struct probe_live){
			.dma_addr = cpu_to_le64(virt_to_phys(buffer->virt)),
			.size = cpu_to_le32(buffer->size),
		};
	}
}

int call_live(struct call *call)
{
	const struct probe_object *request = call->request;
	struct xarray *objects = context_objects(call->context, request->space);
	struct probe_live *answer;
	unsigned long handle;
	void *object;

	if (!objects)
		return PROBE_BAD_VALUE;
	xa_for_each_start(objects, handle, object, le16_to_cpu(request->handle)) {
		answer = call_answer(call, sizeof(*answer));
		if (!answer)
			break;
		*answer = describe(request->space, object);
		answer->handle = cpu_to_le16(handle);
	}
	return 0;
}

int call_forget(struct call *call)
{
	const struct probe_object *request = call->request;
	struct xarray *objects = context_objects(call->context, request->space);
	void *object;

	if (!objects || request->space == PROBE_SPACE_BUFFER)
		return PROBE_BAD_VALUE;
	object = xa_erase(objects, le16_to_cpu(request->handle));
	if (!object)
		return PROBE_NO_HANDLE;
	held_leak(request->space, object);
	if (request->space == PROBE_SPACE_MAPPING)
		mapping_release(object, true);
	else
		allocation_release(object, true);
	return 0;
}
