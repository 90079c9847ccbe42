// SPDX-License-Identifier: GPL-2.0-only
/* The sets of handles, and the end of everything in them. */
#include "probe.h"

static struct context contexts[PROBE_CONTEXTS];

void contexts_init(void)
{
	int i;

	for (i = 0; i < PROBE_CONTEXTS; i++) {
		mutex_init(&contexts[i].lock);
		xa_init(&contexts[i].buffers);
		xa_init(&contexts[i].mappings);
		xa_init(&contexts[i].allocations);
	}
}

struct context *context_get(unsigned int number)
{
	return number < PROBE_CONTEXTS ? &contexts[number] : NULL;
}

struct xarray *context_objects(struct context *context, u8 space)
{
	switch (space) {
	case PROBE_SPACE_BUFFER:
		return &context->buffers;
	case PROBE_SPACE_MAPPING:
		return &context->mappings;
	case PROBE_SPACE_ALLOCATION:
		return &context->allocations;
	default:
		return NULL;
	}
}

/* When a device goes, what was allocated for it with dmam_alloc_attrs() has gone already. */
static bool left_alone(const struct allocation *allocation, const struct target *leaving)
{
	return leaving && (leaving->leak || allocation->call == PROBE_ALLOC_MANAGED);
}

static bool leaks(const struct allocation *allocation, const struct target *leaving)
{
	return leaving && leaving->leak && allocation->call != PROBE_ALLOC_MANAGED;
}

/* Give up what @target, or every device when it is NULL, holds in @context. */
static void context_drop(struct context *context, struct target *target)
{
	struct allocation *allocation;
	struct mapping *mapping;
	unsigned long handle;

	xa_for_each(&context->mappings, handle, mapping) {
		if (target && mapping->target != target)
			continue;
		xa_erase(&context->mappings, handle);
		if (target && target->leak)
			held_leak(PROBE_SPACE_MAPPING, mapping);
		mapping_release(mapping, target && target->leak);
	}
	xa_for_each(&context->allocations, handle, allocation) {
		if (target && allocation->target != target)
			continue;
		xa_erase(&context->allocations, handle);
		if (leaks(allocation, target))
			held_leak(PROBE_SPACE_ALLOCATION, allocation);
		allocation_release(allocation, left_alone(allocation, target));
	}
}

/* The caller excludes all calls: targets_enter(true). */
void contexts_drop_target(struct target *target)
{
	int i;

	for (i = 0; i < PROBE_CONTEXTS; i++)
		context_drop(&contexts[i], target);
}

/* The caller excludes all calls: targets_enter(true). */
void contexts_reset(void)
{
	struct buffer *buffer;
	unsigned long handle;
	int i;

	for (i = 0; i < PROBE_CONTEXTS; i++) {
		context_drop(&contexts[i], NULL);
		xa_for_each(&contexts[i].buffers, handle, buffer) {
			xa_erase(&contexts[i].buffers, handle);
			buffer_release(buffer);
		}
	}
}
