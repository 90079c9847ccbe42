# SPDX-License-Identifier: Apache-2.0
"""What a pool is good for, what is wrong with its place and size, and what ends the boot."""

from harness.base.changes import CHANGES
from harness.machine.devicetree.model.environment import before, since
from harness.machine.devicetree.model.rules.rule import (
    DEVICE_C,
    FDT_C,
    RESERVED_MEM_C,
    SWIOTLB_C,
    Level,
    Rule,
)

POOL_RULES = (
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
        "contiguous-outside-ram",
        Level.ERROR,
        "",
        "mm/cma.c:cma_activate_area()",
        "The kernel does not check that contiguous memory (a shared-dma-pool with 'reusable') is "
        "RAM. It writes to the page structures of the region: an oops, before any driver, if it "
        "has none because there is no RAM within 128 MiB (512 MiB with pages of 64 KiB).",
        "Place the region inside a memory node.",
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
        "pages of a pool then belong to the page allocator, and the device reaches them; those of "
        "contiguous memory are freed twice.",
        "Repair or move the refused region.",
        "refused-frees-others",
    ),
    Rule(
        "refused-unmapped",
        Level.ERROR,
        since("late-reserved-memory"),
        f"{RESERVED_MEM_C}:fdt_init_reserved_mem_node()",
        "The kernel leaves memory with no-map out of its linear mapping before it refuses the "
        "region, and then gives the pages to the page allocator. The first use of one is an oops: "
        "with CONFIG_NUMA, which distributions set, before the console, so that the kernel does "
        "not boot; without, when memory is used up at the latest.",
        "Remove no-map.",
        "no-map-given-away",
    ),
    Rule(
        "no-map-part-of-page",
        Level.ERROR,
        ">=6.12",
        "arch/arm64/mm/mmu.c:map_mem()",
        "The kernel does not map a page that is partly no-map, but takes the rest of the page "
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
        "Use at least 2 MiB for a disk, and 8 MiB for a virtio disk since "
        f"{CHANGES['larger-requests'].since}.",
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
        "first-pool-only",
        Level.WARNING,
        "",
        f"{DEVICE_C}:of_dma_set_restricted_buffer()",
        "A device gets one pool: the first enabled one of its memory-region. This one is another.",
        "Remove the reference, or put it first.",
    ),
    Rule(
        "unused",
        Level.WARNING,
        "",
        f"{DEVICE_C}:of_dma_set_restricted_buffer()",
        "No device uses the pool; its memory is reserved for nothing.",
        "Add memory-region = <&pool> to the device's node, or repair the node that refers to it.",
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
        "The dma-ranges of the device's bus do not contain the pool (since 6.9: its base), so no "
        "address of it can be given to the device: every mapping fails.",
        "Extend dma-ranges, or place the pool inside.",
    ),
    Rule(
        "partly-in-dma-ranges",
        Level.WARNING,
        "",
        f"{SWIOTLB_C}:swiotlb_map()",
        "The dma-ranges of the device's bus contain only a part of the pool. The kernel chooses "
        "slots without regard to that: a mapping that it places elsewhere, or across the border of "
        "two entries, fails.",
        "Extend dma-ranges, or place the pool inside.",
    ),
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
        Level.WARNING,
        "",
        f"{FDT_C}:early_init_dt_scan_memory()",
        "The tree has no usable memory node. A boot loader or QEMU may add it.",
        'Add a memory node with device_type = "memory", or lint what the boot loader passes on.',
    ),
)
