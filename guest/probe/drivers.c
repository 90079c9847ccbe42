// SPDX-License-Identifier: GPL-2.0-only
/* The drivers by which PCI and platform devices come under the probe's control. */
#include <linux/module.h>
#include <linux/of.h>
#include <linux/pci.h>
#include <linux/platform_device.h>
#include <linux/slab.h>

#include "probe.h"

#define EDU_VENDOR	0x1234	/* QEMU hw/misc/edu.c:edu_class_init() */
#define EDU_DEVICE	0x11e8
#define IVSHMEM_VENDOR	0x1af4	/* QEMU hw/misc/ivshmem.c:ivshmem_common_class_init() */
#define IVSHMEM_DEVICE	0x1110
#define NVME_VENDOR	0x1b36	/* QEMU hw/nvme/ctrl.c:nvme_init_pci() */
#define NVME_DEVICE	0x0010

static void release(void *data)
{
	struct target *target = data;

	targets_enter(true);
	target_remove(target);
	contexts_drop_target(target);
	targets_leave(true);
	kfree(target);
}

static int take(struct device *dev, u8 bus)
{
	struct target *target;
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
	error = target_add(target);
	if (error) {
		kfree(target);
		return error;
	}
	error = devm_add_action_or_reset(dev, release, target);
	if (!error)
		dev_info(dev, "bound to the probe\n"); /* harness/devices/rogue/root_port.py waits for this */
	return error;
}

/*
 * Whether the kernel has the driver whose devices these are. It asks for asynchronous probing, so
 * that since 7.3 a driver that does not is asked before it, whichever was registered first.
 */
static bool has_driver(struct pci_dev *pdev, const struct pci_device_id *id)
{
	return id->device == NVME_DEVICE && driver_find("nvme", pdev->dev.bus);
}

static int endpoint_probe(struct pci_dev *pdev, const struct pci_device_id *id)
{
	int error;

	if (has_driver(pdev, id))
		return -ENODEV;
	error = pcim_enable_device(pdev);
	if (!error && id->device == IVSHMEM_DEVICE)
		error = peer_provide(pdev);
	return error ?: take(&pdev->dev, PROBE_BUS_PCI);
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
	return take(&pdev->dev, PROBE_BUS_PLATFORM);
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

int drivers_init(void)
{
	int error = platform_driver_register(&node_driver);

	if (error)
		return error;
	error = pci_register_driver(&endpoint_driver);
	if (error)
		platform_driver_unregister(&node_driver);
	return error;
}

void drivers_exit(void)
{
	pci_unregister_driver(&endpoint_driver);
	platform_driver_unregister(&node_driver);
}
