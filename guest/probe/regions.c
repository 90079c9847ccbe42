// SPDX-License-Identifier: GPL-2.0-only
/* Entries of a node's memory-region that a driver takes by itself, beside its restricted pool. */
#include <linux/of_reserved_mem.h>

#include "probe.h"

int region_take(struct device *dev, u64 index)
{
	if (!dev->of_node || index > INT_MAX)
		return PROBE_BAD_VALUE;
	return of_reserved_mem_device_init_by_idx(dev, dev->of_node, index);
}

/* All of them: the kernel lets go of what it has given the device itself, too. */
int regions_release(struct device *dev)
{
	of_reserved_mem_device_release(dev);
	return 0;
}
