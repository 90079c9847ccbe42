// SPDX-License-Identifier: GPL-2.0-only
/* Every piece of memory that is held, of all contexts, and what was leaked for good. */
#include <linux/slab.h>

#include "probe.h"

/* Of struct probe_held. The last handle stays free, so that a list of them has an end. */
static DEFINE_XARRAY_ALLOC(leaked);

static int visit_at(struct device *dev, dma_addr_t dma_addr, u32 length,
		    struct probe_held *span, span_visitor visit, void *data)
{
	span->phys = cpu_to_le64(device_phys(dev, dma_addr));
	span->length = cpu_to_le32(length);
	return visit(span, data);
}

static int visit_mapping(struct mapping *mapping, struct probe_held *span, span_visitor visit,
			 void *data)
{
	struct device *dev = mapping->target->dev;
	struct scatterlist *sg;
	int i, status;

	span->device = cpu_to_le16(mapping->target->id);
	if (mapping->kind == MAPPED_RESOURCE)
		return 0;
	if (mapping->kind != MAPPED_SG)
		return visit_at(dev, mapping->dma_addr, mapping->size, span, visit, data);
	for_each_sgtable_dma_sg(&mapping->table, sg, i) {
		status = visit_at(dev, sg_dma_address(sg), sg_dma_len(sg), span, visit, data);
		if (status)
			return status;
	}
	return 0;
}

static int visit_object(void *object, struct probe_held *span, span_visitor visit, void *data)
{
	struct allocation *allocation = object;

	switch (span->space) {
	case PROBE_SPACE_BUFFER:
		return guards_visit(object, span, visit, data);
	case PROBE_SPACE_MAPPING:
		return visit_mapping(object, span, visit, data);
	default:
		span->device = cpu_to_le16(allocation->target->id);
		return visit_at(allocation->target->dev, allocation->dma_addr, allocation->size,
				span, visit, data);
	}
}

static int leak_span(const struct probe_held *span, void *data)
{
	struct probe_held *copy = kmemdup(span, sizeof(*span), GFP_KERNEL);
	u32 index;

	if (!copy)
		return -ENOMEM;
	if (!xa_alloc(&leaked, &index, copy, XA_LIMIT(0, U16_MAX - 1), GFP_KERNEL)) {
		copy->handle = cpu_to_le16(index);
		return 0;
	}
	kfree(copy);
	return -ENOMEM;
}

/* Remember what @object, which is about to be forgotten, holds. */
void held_leak(u8 space, void *object)
{
	struct probe_held span = { .context = PROBE_LEAKED, .space = space };

	if (visit_object(object, &span, leak_span, NULL))
		pr_warn("probe: no memory to remember what is leaked\n");
}

void held_exit(void)
{
	struct probe_held *span;
	unsigned long index;

	xa_for_each(&leaked, index, span)
		kfree(span);
	xa_destroy(&leaked);
}

static int answer_span(const struct probe_held *span, void *data)
{
	struct probe_held *answer = call_answer(data, sizeof(*answer));

	if (!answer)
		return PROBE_REPLY_FULL;
	*answer = *span;
	return 0;
}

/* All of an object or nothing: the next call begins with the object that had no room. */
static int answer_object(struct call *call, void *object, struct probe_held span)
{
	size_t before = call_answered(call);
	int status = visit_object(object, &span, answer_span, call);

	if (status)
		call_rewind(call, before);
	return status;
}

static int answer_space(struct call *call, u8 context, u8 space, unsigned long first)
{
	struct probe_held span = { .context = context, .space = space };
	unsigned long handle;
	void *object;
	int status;

	xa_for_each_start(context_objects(context_get(context), space), handle, object, first) {
		span.handle = cpu_to_le16(handle);
		status = answer_object(call, object, span);
		if (status)
			return status;
	}
	return 0;
}

static void answer_leaked(struct call *call, unsigned long first)
{
	struct probe_held *span;
	unsigned long index;

	xa_for_each_start(&leaked, index, span, first)
		if (answer_span(span, call))
			return;
}

/* The caller excludes all other calls. */
int call_held(struct call *call)
{
	const struct probe_held_from *request = call->request;
	unsigned int context = request->context, space = request->space;
	unsigned long first = le16_to_cpu(request->handle);

	if (context > PROBE_LEAKED || space < PROBE_SPACE_BUFFER || space > PROBE_SPACE_ALLOCATION)
		return PROBE_BAD_VALUE;
	for (; context < PROBE_CONTEXTS; context++, space = PROBE_SPACE_BUFFER) {
		for (; space <= PROBE_SPACE_ALLOCATION; space++, first = 0)
			if (answer_space(call, context, space, first))
				return 0;
	}
	answer_leaked(call, first);
	return 0;
}
