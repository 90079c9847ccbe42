# SPDX-License-Identifier: Apache-2.0
"""Which devices get a region."""

from harness.machine.devicetree.model.environment import before, since
from harness.machine.devicetree.model.rules.rule import (
    DEVICE_C,
    PLATFORM_C,
    RESERVED_MEM_C,
    Level,
    Rule,
)

DEVICE_RULES = (
    Rule(
        "restricted",
        Level.NOTE,
        "",
        f"{DEVICE_C}:of_dma_set_restricted_buffer()",
        "The first memory-region of a device's node that is an enabled restricted-dma-pool becomes "
        "the device's pool when a driver is bound to it. The others are ignored.",
    ),
    Rule(
        "inherited",
        Level.NOTE,
        "",
        "drivers/pci/pci-driver.c:pci_dma_configure()",
        "A PCI function without a node, or whose node has no memory-region, gets the pool of the "
        "node of its host bridge, not that of a root port or switch between them.",
    ),
    Rule(
        "inherit-unless-usable",
        Level.NOTE,
        before("absent-region-inherits"),
        f"{DEVICE_C}:of_dma_set_restricted_buffer()",
        "A PCI function inherits from its host bridge also if the memory-region of its own node is "
        "empty or not a multiple of 4 bytes.",
    ),
    Rule(
        "empty-region-hides",
        Level.ERROR,
        since("absent-region-inherits"),
        f"{DEVICE_C}:of_dma_set_restricted_buffer()",
        "A memory-region without a value hides the pool of the host bridge: the function is "
        "unrestricted, and the kernel prints nothing. (Before 6.16 it inherits the pool.)",
        "Remove the empty memory-region.",
    ),
    Rule(
        "other-region-hides",
        Level.ERROR,
        "",
        f"{DEVICE_C}:of_dma_set_restricted_buffer()",
        "A function whose own node has a memory-region does not inherit the host bridge's pool, "
        "whatever that memory-region refers to. The kernel prints nothing.",
        "Add the pool to the function's own memory-region.",
    ),
    Rule(
        "no-region",
        Level.NOTE,
        "",
        f"{DEVICE_C}:of_dma_set_restricted_buffer()",
        "A device without a memory-region that is a restricted-dma-pool is unrestricted.",
    ),
    Rule(
        "malformed-region",
        Level.ERROR,
        "",
        f"{DEVICE_C}:of_dma_set_restricted_buffer()",
        "Before 6.16 the kernel takes a memory-region that is not a multiple of 4 bytes as absent; "
        "since then it uses the whole phandles in it. It prints nothing.",
        "Write memory-region as phandles of 4 bytes each.",
    ),
    Rule(
        "dangling",
        Level.ERROR,
        "",
        f"{DEVICE_C}:of_dma_set_restricted_buffer()",
        "The kernel skips an entry of memory-region whose phandle no node has, without a message.",
        "Refer to the pool by its label.",
    ),
    Rule(
        "not-a-pool",
        Level.ERROR,
        ">=6.12",
        f"{RESERVED_MEM_C}:of_reserved_mem_device_init_by_idx()",
        "The region with the name of a device's pool is not a pool (see namesake). The kernel "
        "warns 'failed to initialise \"restricted-dma-pool\" memory node' and lets the device run "
        "unrestricted.",
        "Give every region a name of its own, with its address.",
    ),
    Rule(
        "no-device",
        Level.ERROR,
        "",
        f"{PLATFORM_C}:of_platform_bus_create()",
        "The kernel makes a device only of nodes with a compatible, below the root or a node that "
        "is compatible with simple-bus, simple-mfd, isa or arm,amba-bus. A memory-region on any "
        "other node has no effect, unless a driver makes a device of it.",
        "Put memory-region on the node of the device that does DMA.",
    ),
    Rule(
        "device-disabled",
        Level.NOTE,
        "",
        f"{PLATFORM_C}:of_platform_device_create_pdata()",
        "The kernel makes no device of a node whose status is not 'okay', nor of those below it. "
        "(PCI functions: not before 6.3. Since 6.6 they become devices, to which no driver is "
        "bound, and since 6.15 they get their pool all the same.)",
    ),
    Rule(
        "disabled-function",
        Level.NOTE,
        "<6.3",
        "drivers/pci/bus.c:pci_bus_add_device()",
        "The kernel does not look at the status of a PCI function's node: drivers are bound to the "
        "function, and it gets the pool of its memory-region.",
    ),
    Rule(
        "by-driver",
        Level.WARNING,
        "",
        f"{PLATFORM_C}:of_platform_populate()",
        "Nodes below a device that is not a bus become devices only if its driver makes them.",
        "Put memory-region on the node of the device that does DMA; see its driver.",
    ),
    Rule(
        "bus-without-cells",
        Level.WARNING,
        ">=6.13",
        "drivers/of/address.c:of_match_bus()",
        "The kernel ignores the dma-ranges of a bus without #address-cells, and of one below it: "
        "its devices are said to reach all memory. (Before, the cells of a bus above counted.)",
        "Give the bus #address-cells and #size-cells.",
    ),
    Rule(
        "no-driver",
        Level.ERROR,
        "",
        "drivers/firmware/arm_ffa/driver.c:ffa_init()",
        "The kernel talks to firmware for Arm (arm,ffa) without a driver that is bound to its "
        "node, so a memory-region there is not used.",
        "Put memory-region on the node of the device that does DMA.",
    ),
    Rule(
        "bus-region",
        Level.ERROR,
        "",
        "drivers/bus/simple-pm-bus.c:simple_pm_bus_probe()",
        "A simple-bus is a device that does no DMA, and so is a PCI root port or bridge. Devices "
        "below it do not inherit its memory-region: only PCI functions inherit, that of their host "
        "bridge.",
        "Put memory-region on the node of each device that does DMA, or of the PCI host bridge.",
    ),
    Rule(
        "behind-iommu",
        Level.WARNING,
        "",
        f"{DEVICE_C}:of_dma_configure_id()",
        "A device behind an IOMMU gets no restricted pool, also if the IOMMU passes all addresses "
        "through. If no driver serves the IOMMU, the device is restricted after deferred probing "
        "gave up.",
        "Remove iommus or iommu-map, or the pool.",
    ),
    Rule(
        "iommu-disabled",
        Level.NOTE,
        "",
        "drivers/iommu/of_iommu.c:of_iommu_xlate()",
        "An IOMMU whose node is disabled does not count: the device is restricted.",
    ),
    Rule(
        "virtio-access-platform",
        Level.NOTE,
        "",
        "drivers/virtio/virtio_ring.c:vring_use_map_api() (before 6.18: vring_use_dma_api())",
        "A virtio driver uses the pool only if the device offers VIRTIO_F_ACCESS_PLATFORM (QEMU: "
        "iommu_platform=on); otherwise it gives the device addresses of any memory. The tree does "
        "not show that. A virtio balloon never uses the pool.",
        "Make the device offer VIRTIO_F_ACCESS_PLATFORM.",
    ),
    Rule(
        "attached-twice",
        Level.NOTE,
        ">=6.15",
        "drivers/iommu/iommu.c:iommu_init_device()",
        "The kernel attaches a region to a PCI function when it adds the function, also if its "
        "node is disabled, and again when a driver is bound. If the region became a pool of "
        "coherent memory, the second time fails: the kernel warns 'failed to initialise "
        '"restricted-dma-pool" memory node\', and the function keeps the pool.',
    ),
    Rule(
        "nothing-named",
        Level.NOTE,
        "",
        f"{DEVICE_C}:of_dma_set_restricted_buffer()",
        "No node's memory-region refers to a restricted-dma-pool, so no device is restricted.",
        "Add memory-region = <&pool> to the node of each device that is to be restricted.",
    ),
    Rule(
        "expected",
        Level.ERROR,
        "",
        "harness lint --expect",
        "A device is not restricted to the pool that --expect names for it.",
    ),
    Rule(
        "coherent-only",
        Level.NOTE,
        "",
        "drivers/of/of_reserved_mem.c:of_reserved_mem_device_init_by_idx()",
        "A shared-dma-pool serves coherent allocations of a driver that asks for it; streaming "
        "mappings are unrestricted.",
    ),
)
