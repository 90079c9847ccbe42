// SPDX-License-Identifier: GPL-2.0-only
/* The devices under the probe's control, PCI and platform, and their drivers. */
#include <linux/dma-map-ops.h>
#include <linux/module.h>
#include <linux/of.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/rwsem.h>
#include <linux/slab.h>

#include "probe.h"

#define EDU_VENDOR	0x1234	/* QEMU hw/misc/edu.c:edu_class_init() */
#define EDU_DEVICE	0x11e8
#define IVSHMEM_VENDOR	0x1af4	/* QEMU hw/misc/ivshmem.c:ivshmem_common_class_init() */
#define IVSHMEM_DEVICE	0x1110
#define NVME_VENDOR	0x1b36	/* QEMU hw/nvme/ctrl.c:nvme_init_pci() */
#define NVME_DEVICE	0x0010

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

static void target_remove(void *data)
{
	struct target *target = data;

	targets_enter(true);
	xa_erase(&targets, target->id);
	contexts_drop_target(target);
	targets_leave(true);
	kfree(target);
}

/* Ids only rise, so that a stale one never names another device. */
static int target_add(struct device *dev, u8 bus)
{
	struct target *target;
	u32 id;
	int error;

	error = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(64));
	if (error)
		return error;
	dma_set_max_seg_size(dev, U32_MAX); /* CONFIG_DMA_API_DEBUG holds drivers to 64 KiB else */
	target = kzalloc(sizeof(*target), GFP_KERNEL);
	if (!target)
		return -ENOMEM;
	target->dev = dev;
	target->bus = bus;
	error = xa_alloc_cyclic(&targets, &id, target, XA_LIMIT(1, U16_MAX), &targets_next,
				GFP_KERNEL);
	if (error < 0) {
		kfree(target);
		return error;
	}
	target->id = id;
	error = devm_add_action_or_reset(dev, target_remove, target);
	if (!error)
		dev_info(dev, "bound to the probe\n"); /* harness/devices/rogue/slot.py waits for this */
	return error;
}

static int endpoint_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int error = pcim_enable_device(pdev);

	if (!error && id->device == IVSHMEM_DEVICE)
		error = peer_provide(pdev);
	return error ?: target_add(&pdev->dev, PROBE_BUS_PCI);
}

static const struct pci_device_id endpoint_ids[] = {
	{ PCI_DEVICE(EDU_VENDOR, EDU_DEVICE) },
	{ PCI_DEVICE(IVSHMEM_VENDOR, IVSHMEM_DEVICE) },
	{ PCI_DEVICE(NVME_VENDOR, NVME_DEVICE) },
	{ }
};
MODULE_DEVICE_TABLE(pci, endpoint_ids);

static struct pci_driver endpoint_driver = {
	.name = "restricted-dma-probe-pci",
	.id_table = endpoint_ids,
	.probe = endpoint_probe,
};

static int node_probe(struct platform_device *pdev)
{
	return target_add(&pdev->dev, PROBE_BUS_PLATFORM);
}

static const struct of_device_id node_ids[] = {
	{ .compatible = "restricted-dma-harness,probe" },
	{ }
};
MODULE_DEVICE_TABLE(of, node_ids);

static struct platform_driver node_driver = {
	.driver = {
		.name = "restricted-dma-probe-node",
		.of_match_table = node_ids,
	},
	.probe = node_probe,
};

int targets_init(void)
{
	int error = platform_driver_register(&node_driver);

	if (error)
		return error;
	error = pci_register_driver(&endpoint_driver);
	if (error)
		platform_driver_unregister(&node_driver);
	return error;
}

void targets_exit(void)
{
	pci_unregister_driver(&endpoint_driver);
	platform_driver_unregister(&node_driver);
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
