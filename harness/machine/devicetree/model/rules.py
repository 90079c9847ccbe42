# SPDX-License-Identifier: Apache-2.0
"""What kernels do with restricted pools, as data: a rule has a range of versions and its source.

A rule either decides how the model behaves (``holds()`` is asked), or is the reason for something
the lint says. Versions were read in 6.1.192, 6.12.117 and 7.3.4; where a change lies between two
of them, the range names the first version known to have it.
"""

from dataclasses import dataclass
from enum import IntEnum

from harness.base.changes import CHANGES
from harness.machine.devicetree.model.environment import KernelVersion, before, since

RESERVED_MEM_C = "drivers/of/of_reserved_mem.c"
DEVICE_C = "drivers/of/device.c"
SWIOTLB_C = "kernel/dma/swiotlb.c"
PLATFORM_C = "drivers/of/platform.c"
FDT_C = "drivers/of/fdt.c"


class Level(IntEnum):
    """How bad it is: NOTE explains, WARNING costs or may fail, ERROR is not restricted or fatal."""

    NOTE = 0
    WARNING = 1
    ERROR = 2

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Rule:
    """One rule.

    *kernels* is a range of versions, empty for all; *function* the kernel's code as
    ``file:function()``; *text* what the kernel does; *advice* what a devicetree's author can do;
    *finding* the entry of docs/findings.md.
    """

    name: str
    level: Level
    kernels: str
    function: str
    text: str
    advice: str = ""
    finding: str = ""

    def holds(self, kernel: KernelVersion) -> bool:
        """Whether that kernel does so."""
        return kernel.within(self.kernels)


def _table(*rules: Rule) -> dict[str, Rule]:
    found = {rule.name: rule for rule in rules}
    assert len(found) == len(rules), "two rules have the same name"
    return found


RULES = _table(
    # which nodes become regions
    Rule(
        "cells-differ",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:__reserved_mem_check_root()",
        "The kernel ignores /reserved-memory as a whole if its #address-cells or #size-cells are "
        "missing or differ from those of the root, or if it has no 'ranges'. It logs "
        "'unsupported node format, ignoring'.",
        "Give /reserved-memory the root's #address-cells and #size-cells, and an empty 'ranges'.",
    ),
    Rule(
        "refused-flags",
        Level.ERROR,
        "",
        f"{SWIOTLB_C}:rmem_swiotlb_setup()",
        "The kernel refuses a restricted pool that has no-map, reusable, linux,cma-default or "
        "linux,dma-default. It logs 'compatible matching fail' and gives the memory back.",
        "Remove the property.",
    ),
    Rule(
        "second-compatible",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:__reserved_mem_init_node()",
        "The kernel asks the handlers of reserved memory in the order in which they are linked: "
        "shared-dma-pool first. A node with both compatibles becomes a pool for coherent or "
        "contiguous memory, and every streaming mapping of its devices is unrestricted.",
        "Give the node only the compatible 'restricted-dma-pool'.",
        "second-compatible",
    ),
    Rule(
        "coherent-mapped",
        Level.ERROR,
        "",
        "kernel/dma/coherent.c:dma_init_coherent_memory()",
        "A node that is also compatible with shared-dma-pool becomes a pool of coherent memory, "
        "which arm64 cannot map unless the node has no-map. The kernel warns 'memremap attempted "
        "on ram' and that it cannot initialise the pool; the device is unrestricted.",
        "Give the node only the compatible 'restricted-dma-pool'.",
        "second-compatible",
    ),
    Rule(
        "bad-reg",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:__reserved_mem_reserve_reg()",
        "The kernel skips a node whose 'reg' is not a whole number of entries, an address and a "
        "size with the root's cells each. (Since 6.19 it then uses 'size', if there is one.)",
        "Write each entry of 'reg' with the cells of the root.",
    ),
    Rule(
        "size-zero",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:__reserved_mem_reserve_reg()",
        "The kernel reserves nothing for a node whose 'reg' has size 0, and makes no pool of it.",
        "Give the pool a size.",
    ),
    Rule(
        "empty-reg",
        Level.ERROR,
        ">=6.12,<6.19",
        f"{RESERVED_MEM_C}:fdt_scan_reserved_mem_reg_nodes()",
        "The kernel takes a 'reg' without any bytes for an entry, and reads address and size from "
        "the bytes that follow it in the blob.",
        "Give the pool a 'reg' with address and size, or 'size' and no 'reg'.",
        "empty-reg",
    ),
    Rule(
        "no-place",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:fdt_scan_reserved_mem()",
        "The kernel skips a node that has neither 'reg' nor 'size'.",
        "Give the pool a 'reg', or a 'size' if the kernel shall choose the place.",
    ),
    Rule(
        "bad-size",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:__reserved_mem_alloc_size()",
        "The kernel skips a node whose 'size' does not have the root's #size-cells, whose "
        "'alignment' does not have the root's #address-cells, or whose 'alloc-ranges' is not a "
        "whole number of entries.",
        "Write 'size' with the root's #size-cells and 'alignment' with its #address-cells.",
    ),
    Rule(
        "no-room",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:__reserved_mem_alloc_size()",
        "The kernel finds no free memory for a pool that it shall place, logs 'failed to allocate "
        "memory for node', and makes no pool.",
        "Ask for less, or widen 'alloc-ranges'.",
    ),
    Rule(
        "too-many",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:fdt_scan_reserved_mem()",
        "The kernel keeps 64 regions that it places itself (before 6.12: 64 regions in all), and "
        "skips the others with an error.",
        "Give the pools addresses, or use fewer.",
    ),
    Rule(
        "not-in-reserved-memory",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:of_reserved_mem_device_init_by_idx()",
        "Only direct children of /reserved-memory become regions. A device that refers to a "
        "restricted-dma-pool elsewhere is unrestricted, with a warning.",
        "Move the pool's node to /reserved-memory.",
    ),
    Rule(
        "namesake",
        Level.ERROR,
        ">=6.12",
        f"{RESERVED_MEM_C}:of_reserved_mem_lookup()",
        "The kernel finds the region of a memory-region by the name of its node. A device that "
        "refers to one of two nodes with the same name gets whichever was set up first.",
        "Give every region a name of its own, with its address.",
        "namesake",
    ),
    Rule(
        "status-empty",
        Level.WARNING,
        "",
        f"{FDT_C}:of_fdt_device_is_available()",
        "A 'status' without a value disables a region. Since 6.19 the memory is reserved all the "
        "same, but no device gets it.",
        'Write status = "okay", or remove the property.',
    ),
    Rule(
        "pool-disabled",
        Level.ERROR,
        "",
        f"{DEVICE_C}:of_dma_set_restricted_buffer()",
        "The kernel skips a pool whose status is not 'okay', without a message.",
        "Enable the pool's node.",
    ),
    # which devices get them
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
        "",
        f"{RESERVED_MEM_C}:of_reserved_mem_device_init_by_idx()",
        "The kernel cannot set up the pool that a device refers to. It warns 'failed to initialise "
        '"restricted-dma-pool" memory node\' and lets the device run unrestricted.',
        "Repair the pool's node.",
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
        "The kernel makes no device of a node whose status is not 'okay', nor of those below it.",
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
        "drivers/virtio/virtio_ring.c:vring_use_map_api()",
        "A virtio driver uses the pool only if the device offers VIRTIO_F_ACCESS_PLATFORM (QEMU: "
        "iommu_platform=on); otherwise it gives the device addresses of any memory. The tree does "
        "not show that. A virtio balloon never uses the pool.",
        "Make the device offer VIRTIO_F_ACCESS_PLATFORM.",
    ),
    Rule(
        "coherent-only",
        Level.NOTE,
        "",
        "drivers/of/of_reserved_mem.c:of_reserved_mem_device_init_by_idx()",
        "A shared-dma-pool serves coherent allocations of a driver that asks for it; streaming "
        "mappings are unrestricted.",
    ),
    # what fits
    Rule(
        "outside-ram",
        Level.ERROR,
        "",
        f"{SWIOTLB_C}:rmem_swiotlb_device_init()",
        "The kernel does not check that a pool is RAM. It zeroes the pool through the linear "
        "mapping when the first device is attached: an oops, if a byte of it is not RAM.",
        "Place the pool inside a memory node.",
        "unchecked-place",
    ),
    Rule(
        "over-nomap",
        Level.ERROR,
        "",
        f"{SWIOTLB_C}:rmem_swiotlb_device_init()",
        "Memory with no-map is not mapped. A pool over it ends in an oops when the first device is "
        "attached, if the no-map node comes before the pool's.",
        "Place the pool elsewhere.",
        "unchecked-place",
    ),
    Rule(
        "over-loaded",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:__reserved_mem_reserve_reg()",
        "The kernel does not check that a pool is free. It zeroes the pool: over the kernel's "
        "image that is an oops, over the devicetree later devices are lost, and the pages of an "
        "initial RAM disk below the pool go to the page allocator.",
        "Place the pool elsewhere, or load the image elsewhere.",
        "unchecked-place",
    ),
    Rule(
        "overlap",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:__rmem_check_for_overlap()",
        "The kernel reports regions that overlap ('OVERLAP DETECTED!'), and uses both. It says "
        "nothing of a /memreserve/ that overlaps a pool. The device reaches both, and the pool is "
        "zeroed.",
        "Place the pool elsewhere.",
    ),
    Rule(
        "dynamic-over-memreserve",
        Level.ERROR,
        ">=6.6",
        f"{FDT_C}:early_init_fdt_scan_reserved_mem()",
        "The kernel places its pools before it reserves the /memreserve/ entries of the blob, so "
        "it may place a pool over one of them, and zeroes it.",
        "Describe that memory as a node of /reserved-memory.",
        "dynamic-over-memreserve",
    ),
    Rule(
        "freed-by-refused",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:fdt_init_reserved_mem_node()",
        "When the kernel refuses a region it frees its memory, also what another region needs: "
        "pages of the pool then belong to the page allocator, and the device reaches them.",
        "Repair or move the refused region.",
        "refused-frees-others",
    ),
    Rule(
        "refused-unmapped",
        Level.ERROR,
        since("late-reserved-memory"),
        f"{RESERVED_MEM_C}:fdt_init_reserved_mem_node()",
        "The kernel leaves memory with no-map out of its linear mapping before it refuses the "
        "region, and then gives the pages to the page allocator: whoever gets one of them ends in "
        "an oops, when memory is used up at the latest.",
        "Remove no-map.",
        "no-map-given-away",
    ),
    Rule(
        "no-map-part-of-page",
        Level.ERROR,
        ">=6.12",
        "arch/arm64/mm/mmu.c:map_mem()",
        "The kernel does not map a page of which a part is no-map, but takes the rest of the page "
        "for free memory. If it is the highest free memory, the first allocation ends the boot "
        "with an oops before the console.",
        "Make base and size of no-map regions multiples of the largest page size, 64 KiB.",
        "no-map-part-of-page",
    ),
    Rule(
        "huge-region",
        Level.ERROR,
        "<6.16",
        "mm/mm_init.c:reserve_bootmem_region()",
        "The kernel visits every page of a reserved region, also where there is no RAM: a region "
        "of 16 TiB costs seconds, a larger one all time there is, before most messages.",
        "Correct the size of the region.",
        "huge-region",
    ),
    Rule(
        "too-large",
        Level.ERROR,
        "",
        f"{SWIOTLB_C}:rmem_swiotlb_device_init()",
        "The table of a pool's slots, 24 bytes for each 2 KiB, must fit one kcalloc(): 4 MiB with "
        "pages of 4 KiB, so that a pool of more than 349524 KiB cannot be set up. Its devices run "
        "unrestricted, with a warning.",
        "Use at most 341 MiB.",
    ),
    Rule(
        "no-slot",
        Level.ERROR,
        "",
        f"{SWIOTLB_C}:swiotlb_tbl_map_single()",
        "A pool of less than 2 KiB has no slot: every mapping fails.",
        "Use a multiple of 256 KiB.",
    ),
    Rule(
        "slot-unaligned",
        Level.ERROR,
        ">=6.9",
        f"{SWIOTLB_C}:swiotlb_search_pool_area()",
        "Slots are counted from the base of the pool, and a mapping must begin at a multiple of "
        "2 KiB. In a pool with another base nothing fits.",
        "Place the pool at a multiple of 256 KiB.",
        "unusable-place",
    ),
    Rule(
        "page-unaligned",
        Level.WARNING,
        ">=6.3",
        f"{SWIOTLB_C}:swiotlb_search_pool_area()",
        "A mapping of a page or more begins on a page. In a pool whose base is not page aligned "
        "less than 256 KiB fit, while dma_max_mapping_size() returns 256 KiB: large requests of "
        "SCSI and NVMe fail.",
        "Place the pool at a multiple of 256 KiB.",
        "pool-off-a-page",
    ),
    Rule(
        "set-unaligned",
        Level.WARNING,
        ">=6.9",
        f"{SWIOTLB_C}:swiotlb_alloc()",
        "Coherent memory is aligned to its size, and slots are in sets of 256 KiB counted from the "
        "base. In a pool whose base is not a multiple of 256 KiB the largest coherent allocation "
        "is smaller.",
        "Place the pool at a multiple of 256 KiB.",
    ),
    Rule(
        "page-shared",
        Level.WARNING,
        "",
        "Devicetree Specification 0.4, 3.5; any IOMMU, MPU or hypervisor",
        "The pool has a part of a page. What confines a device works in pages: it lets the device "
        "reach the rest of that page, or keeps it from a part of its pool.",
        "Use a base and a size that are multiples of 256 KiB.",
        "kernel-data-beside-pool",
    ),
    Rule(
        "larger-pages",
        Level.NOTE,
        "",
        "arch/arm64/Kconfig, ARM64_16K_PAGES and ARM64_64K_PAGES",
        "Base or size is not a multiple of the page size of kernels with pages of 16 or 64 KiB: "
        "what holds for a part of a page holds there.",
        "Use a base and a size that are multiples of 256 KiB.",
    ),
    Rule(
        "odd-size",
        Level.WARNING,
        ">=6.7",
        f"{SWIOTLB_C}:swiotlb_release_slots()",
        "In a pool whose size is not a multiple of 256 KiB the kernel reads beyond the table of "
        "slots when the last mapping ends, and may then place mappings behind the pool.",
        "Use a multiple of 256 KiB.",
        "odd-size-free-list",
    ),
    Rule(
        "odd-size-overrun",
        Level.ERROR,
        "<6.7",
        f"{SWIOTLB_C}:swiotlb_init_io_tlb_mem()",
        "A pool whose size is not a multiple of 256 KiB is used beyond its end, from the first "
        "mapping on.",
        "Use a multiple of 256 KiB.",
        "6.1-odd-size-overrun",
    ),
    Rule(
        "small-pool",
        Level.WARNING,
        "",
        f"{SWIOTLB_C}:swiotlb_max_mapping_size()",
        "dma_max_mapping_size() returns 256 KiB whatever the size of the pool. In a smaller pool "
        "large requests fail; a virtio disk may retry them forever.",
        "Use at least 2 MiB for a disk.",
        "virtio-blk-retries-for-ever",
    ),
    Rule(
        "first-entry-only",
        Level.WARNING,
        "",
        f"{RESERVED_MEM_C}:fdt_scan_reserved_mem_reg_nodes()",
        "Only the first entry of 'reg' is the pool. The memory of the others stays reserved and "
        f"unused before {CHANGES['one-reg'].since}, and belongs to the page allocator since.",
        "Use one entry.",
    ),
    Rule(
        "several-entries",
        Level.ERROR,
        f">=6.19,{before('one-reg')}",
        f"{RESERVED_MEM_C}:fdt_scan_reserved_mem_late()",
        "The kernel reserves all entries of 'reg', and makes no region of a node with several.",
        "Use one entry.",
    ),
    Rule(
        "name-differs",
        Level.WARNING,
        "",
        "Devicetree Specification 0.4, 2.2.1",
        "The unit address of a node's name is the first address of its 'reg'. The kernel uses "
        "'reg' and prints the name.",
        "Rename the node.",
    ),
    Rule(
        "attached-in-parallel",
        Level.WARNING,
        "",
        f"{SWIOTLB_C}:rmem_swiotlb_device_init()",
        "Devices that are attached to a pool at the same time each set it up: they get the same "
        "memory. PCI functions are safe: their host bridge comes first.",
        "Give each device a pool of its own.",
        "attach-race",
    ),
    Rule(
        "shared-with-unrestricted",
        Level.WARNING,
        "",
        f"{DEVICE_C}:of_dma_set_restricted_buffer()",
        "A node refers to the pool, but no device of it is restricted to the pool.",
        "Repair that node; the pool protects nothing from it.",
    ),
    Rule(
        "unused",
        Level.WARNING,
        "",
        f"{DEVICE_C}:of_dma_set_restricted_buffer()",
        "No device uses the pool; its memory is reserved for nothing.",
        "Add memory-region = <&pool> to the device's node.",
    ),
    Rule(
        "beyond-32-bits",
        Level.WARNING,
        "",
        f"{SWIOTLB_C}:swiotlb_map()",
        "A device whose driver sets no larger mask reaches 32 bits. If the pool lies beyond, every "
        "mapping fails.",
        "Place the pool below 4 GiB of the device's addresses, or check the driver's mask.",
    ),
    Rule(
        "beyond-dma-ranges",
        Level.ERROR,
        "",
        f"{SWIOTLB_C}:swiotlb_map()",
        "The dma-ranges of the device's bus do not contain the pool, so no address of it can be "
        "given to the device: every mapping fails.",
        "Extend dma-ranges, or place the pool inside.",
    ),
    # what ends the boot
    Rule(
        "blob-too-large",
        Level.ERROR,
        "",
        "arch/arm64/mm/fixmap.c:fixmap_remap_fdt()",
        "A kernel for arm64 does not accept a devicetree of more than 2 MiB.",
        "Remove what is not needed, for example symbols.",
    ),
    Rule(
        "no-memory",
        Level.ERROR,
        "",
        f"{FDT_C}:early_init_dt_scan_memory()",
        "The tree has no usable memory node. A boot loader or QEMU may add it.",
        'Add a memory node with device_type = "memory", or lint what the boot loader passes on.',
    ),
)
