// SPDX-License-Identifier: GPL-2.0-only
/* The end of what contexts hold: when a device leaves, and when everything is reset. */
#include "probe.h"

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
		context_drop(context_get(i), target);
}

/* The caller excludes all calls: targets_enter(true). */
void contexts_reset(void)
{
	struct context *context;
	struct buffer *buffer;
	unsigned long handle;
	int i;

	for (i = 0; i < PROBE_CONTEXTS; i++) {
		context = context_get(i);
		context_drop(context, NULL);
		xa_for_each(&context->buffers, handle, buffer) {
			xa_erase(&context->buffers, handle);
			buffer_release(buffer);
		}
	}
}

int call_reset(struct call *call)
{
	contexts_reset();
	return 0;
}
