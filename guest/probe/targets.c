// SPDX-License-Identifier: GPL-2.0-only
/* The devices under the probe's control, by id: what they are, and their parameters. */
#include <linux/dma-map-ops.h>
#include <linux/of.h>
#include <linux/pci.h>
#include <linux/rwsem.h>
#include <linux/slab.h>

#include "probe.h"

/*
 * Every call runs inside the read side, so that no device leaves under it; a
 * device comes and goes, and everything is reset, under the write side.
 */
static DECLARE_RWSEM(targets_lock);
static DEFINE_XARRAY_ALLOC1(targets);
static u32 targets_next;

void targets_enter(bool exclusive)
{
	if (exclusive)
		down_write(&targets_lock);
	else
		down_read(&targets_lock);
}

void targets_leave(bool exclusive)
{
	if (exclusive)
		up_write(&targets_lock);
	else
		up_read(&targets_lock);
}

struct target *target_find(__le16 id)
{
	return xa_load(&targets, le16_to_cpu(id));
}

/* Ids only rise, so that a stale one never names another device. */
int target_add(struct target *target)
{
	u32 id;
	int error = xa_alloc_cyclic(&targets, &id, target, XA_LIMIT(1, U16_MAX), &targets_next,
				    GFP_KERNEL);

	if (error < 0)
		return error;
	target->id = id;
	return 0;
}

/* The caller excludes all calls: targets_enter(true). */
void target_remove(struct target *target)
{
	xa_erase(&targets, target->id);
}

int call_devices(struct call *call)
{
	struct target *target;
	unsigned long id;
	struct probe_id *answer;

	xa_for_each(&targets, id, target) {
		answer = call_answer(call, sizeof(*answer));
		if (!answer)
			break;
		answer->value = cpu_to_le16(id);
	}
	return 0;
}

static int answer_text(struct call *call, const char *text)
{
	size_t length = strlen(text) + 1;
	char *answer = call_answer(call, length);

	if (!answer)
		return PROBE_REPLY_FULL;
	memcpy(answer, text, length);
	return 0;
}

static int answer_path(struct call *call, const struct device_node *node)
{
	char *path;
	int status;

	if (!node)
		return answer_text(call, "");
	path = kasprintf(GFP_KERNEL, "%pOF", node);
	if (!path)
		return PROBE_NO_MEMORY;
	status = answer_text(call, path);
	kfree(path);
	return status;
}

int call_device_info(struct call *call)
{
	const struct probe_id *request = call->request;
	struct target *target = target_find(request->value);
	struct probe_device_info *answer;
	struct device *dev;

	if (!target)
		return PROBE_NO_DEVICE;
	dev = target->dev;
	answer = call_answer(call, sizeof(*answer));
	answer->bus = target->bus;
	answer->coherent = dev_is_dma_coherent(dev);
	answer->dma_mask = cpu_to_le64(dma_get_mask(dev));
	answer->coherent_dma_mask = cpu_to_le64(dev->coherent_dma_mask);
	answer->seg_boundary = cpu_to_le64(dma_get_seg_boundary(dev));
	answer->max_mapping_size = cpu_to_le64(dma_max_mapping_size(dev));
	answer->min_align_mask = cpu_to_le32(dma_get_min_align_mask(dev));
	answer->max_seg_size = cpu_to_le32(dma_get_max_seg_size(dev));
	return answer_text(call, dev_name(dev)) ?: answer_path(call, dev->of_node);
}

static int set_bus_master(struct target *target, u64 value)
{
	if (target->bus != PROBE_BUS_PCI || value > 1)
		return PROBE_BAD_VALUE;
	if (value)
		pci_set_master(to_pci_dev(target->dev));
	else
		pci_clear_master(to_pci_dev(target->dev));
	return 0;
}

static int set_parameter(struct device *dev, u8 setting, u64 value)
{
	if (!dev->dma_parms)
		return -EIO;
	switch (setting) {
	case PROBE_SET_MIN_ALIGN_MASK:
		dma_set_min_align_mask(dev, value);
		return 0;
	case PROBE_SET_SEG_BOUNDARY:
		dma_set_seg_boundary(dev, value);
		return 0;
	case PROBE_SET_MAX_SEG_SIZE:
		dma_set_max_seg_size(dev, value);
		return 0;
	default:
		return PROBE_BAD_VALUE;
	}
}

int call_device_set(struct call *call)
{
	const struct probe_device_set *request = call->request;
	struct target *target = target_find(request->device);
	u64 value = le64_to_cpu(request->value);

	if (!target)
		return PROBE_NO_DEVICE;
	switch (request->setting) {
	case PROBE_SET_DMA_MASK:
		return dma_set_mask(target->dev, value);
	case PROBE_SET_COHERENT_MASK:
		return dma_set_coherent_mask(target->dev, value);
	case PROBE_SET_BUS_MASTER:
		return set_bus_master(target, value);
	case PROBE_SET_LEAK:
		target->leak = value;
		return 0;
	case PROBE_SET_REGION:
		return region_take(target->dev, value);
	case PROBE_SET_NO_REGIONS:
		return regions_release(target->dev);
	default:
		return set_parameter(target->dev, request->setting, value);
	}
}
