// SPDX-License-Identifier: GPL-2.0-only
/* The sets of handles. */
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
