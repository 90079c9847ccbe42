# SPDX-License-Identifier: Apache-2.0
"""The kernel functions behind each property, to read when it is violated (Linux 6.12)."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

SWIOTLB, DIRECT, DIRECT_H = "kernel/dma/swiotlb.c", "kernel/dma/direct.c", "kernel/dma/direct.h"
MAPPING, POOL, DMAPOOL = "kernel/dma/mapping.c", "kernel/dma/pool.c", "mm/dmapool.c"
RESERVED, OF_DEVICE = "drivers/of/of_reserved_mem.c", "drivers/of/device.c"
ARM_DMA, CACHE = "arch/arm64/mm/dma-mapping.c", "arch/arm64/mm/cache.S"
VIRTIO = "drivers/virtio/virtio_ring.c"

CODE: Mapping[str, str] = MappingProxyType(
    {
        "A1": f"rmem_swiotlb_setup(), {SWIOTLB}; fdt_init_reserved_mem_node(), {RESERVED}",
        "A2": f"of_dma_set_restricted_buffer(), {OF_DEVICE}; rmem_swiotlb_device_init(), {SWIOTLB}",
        "A3": f"of_dma_set_restricted_buffer(), {OF_DEVICE}; pci_dma_configure()",
        "A4": f"of_dma_set_restricted_buffer(), {OF_DEVICE}",
        "A5": f"of_dma_set_restricted_buffer(), {OF_DEVICE}",
        "A6": f"of_dma_set_restricted_buffer(), {OF_DEVICE}",
        "A7": f"of_dma_set_restricted_buffer(), {OF_DEVICE}",
        "A8": f"of_dma_set_restricted_buffer(), {OF_DEVICE}; fdt_scan_reserved_mem(), {RESERVED}",
        "A9": f"of_dma_configure_id(), {OF_DEVICE}",
        "A12": f"of_reserved_mem_device_init_by_idx(), {RESERVED}",
        "A13": f"of_dma_set_restricted_buffer(), {OF_DEVICE}",
        "A14": f"vring_create_virtqueue(), {VIRTIO}; dma_direct_map_page(), {DIRECT_H}",
        "A15": f"of_reserved_mem_device_release(), {RESERVED}",
        "B1": f"dma_direct_map_page(), {DIRECT_H}; swiotlb_map(), {SWIOTLB}",
        "B2": f"dma_direct_map_sg(), {DIRECT}",
        "B3": f"swiotlb_tbl_map_single(), {SWIOTLB}",
        "B4": f"swiotlb_tbl_map_single(), __swiotlb_tbl_unmap_single(), {SWIOTLB}",
        "B5": f"__swiotlb_tbl_unmap_single(), {SWIOTLB}; dma_direct_unmap_page(), {DIRECT_H}",
        "B6": f"swiotlb_tbl_map_single(), {SWIOTLB}",
        "B7": f"swiotlb_search_pool_area(), {SWIOTLB}",
        "B8": f"swiotlb_search_pool_area(), {SWIOTLB}",
        "B9": f"swiotlb_align_offset(), swiotlb_search_pool_area(), {SWIOTLB}",
        "B10": f"swiotlb_search_pool_area(), {SWIOTLB}",
        "B11": f"swiotlb_max_mapping_size(), {SWIOTLB}; dma_direct_max_mapping_size(), {DIRECT}",
        "B12": f"swiotlb_tbl_map_single(), {SWIOTLB}; dma_direct_map_page(), {DIRECT_H}",
        "B13": f"swiotlb_release_slots(), {SWIOTLB}",
        "B14": f"swiotlb_tbl_map_single(), __swiotlb_tbl_unmap_single(), {SWIOTLB}",
        "B15": f"swiotlb_map(), {SWIOTLB}",
        "B16": "phys_to_dma_unencrypted(), include/linux/dma-direct.h",
        "B17": f"dma_direct_map_page(), {DIRECT_H}; dma_direct_map_sg(), {DIRECT}",
        "B18": f"dma_direct_map_phys(), {DIRECT} (dma_direct_map_resource() before 6.18)",
        "B19": f"swiotlb_map(), {SWIOTLB}; include/trace/events/swiotlb.h",
        "B20": f"dma_direct_map_phys(), {DIRECT}; dma_map_phys(), {MAPPING}",
        "C1": f"__swiotlb_sync_single_for_cpu(), {SWIOTLB}",
        "C2": f"__swiotlb_sync_single_for_device(), {SWIOTLB}",
        "C3": f"swiotlb_bounce(), {SWIOTLB}",
        "C4": f"swiotlb_bounce(), {SWIOTLB}",
        "C5": f"swiotlb_bounce(), {SWIOTLB}",
        "C6": f"dma_reset_need_sync(), swiotlb_tbl_map_single(), {SWIOTLB}; "
        f"dma_setup_need_sync(), {MAPPING}",
        "C7": f"dma_direct_need_sync(), {DIRECT}",
        "C8": f"dma_direct_sync_sg_for_cpu(), dma_direct_sync_sg_for_device(), {DIRECT}",
        "C9": f"__swiotlb_sync_single_for_cpu(), {SWIOTLB}",
        "C10": f"arch_sync_dma_for_device(), arch_sync_dma_for_cpu(), {ARM_DMA}; "
        f"swiotlb_map(), {SWIOTLB}; dma_direct_sync_single_for_device(), {DIRECT_H}; "
        f"dma_direct_sync_sg_for_device(), dma_direct_sync_sg_for_cpu(), {DIRECT}",
        "C11": f"dcache_clean_poc(), dcache_inval_poc(), {CACHE}; since 7.3 also "
        f"arch_sync_dma_flush() in swiotlb_map(), swiotlb_bounce(), {SWIOTLB}; "
        f"dma_direct_map_sg(), dma_direct_unmap_sg(), {DIRECT}",
        "D1": f"dma_direct_alloc(), dma_direct_alloc_swiotlb(), {DIRECT}; "
        f"swiotlb_alloc(), {SWIOTLB}",
        "D2": f"dma_direct_alloc_pages(), {DIRECT}; alloc_single_sgt(), {MAPPING}",
        "D3": f"swiotlb_alloc(), {SWIOTLB}",
        "D4": f"__dma_direct_alloc_pages(), {DIRECT}",
        "D5": f"swiotlb_alloc(), swiotlb_search_pool_area(), {SWIOTLB}",
        "D6": f"__dma_direct_free_pages(), {DIRECT}; swiotlb_free(), {SWIOTLB}",
        "D7": f"dma_direct_alloc_swiotlb(), {DIRECT}",
        "D8": f"dma_direct_alloc(), dma_direct_free(), {DIRECT}",
        "D9": f"dma_direct_alloc(), {DIRECT}",
        "D10": f"dma_alloc_attrs(), {MAPPING}",
        "D11": f"dma_pool_alloc(), {DMAPOOL}; dmam_alloc_attrs(), {MAPPING}",
        "D12": f"arch_dma_prep_coherent(), {ARM_DMA}; dma_direct_alloc(), {DIRECT}",
        "E1": f"rmem_swiotlb_device_init(), {SWIOTLB}",
        "E2": f"swiotlb_find_slots(), {SWIOTLB}",
        "E3": f"dma_direct_map_page(), {DIRECT_H}; swiotlb_map(), {SWIOTLB}",
        "E4": f"swiotlb_init_io_tlb_pool(), rmem_swiotlb_device_init(), {SWIOTLB}",
        "E5": f"early_init_dt_reserve_memory(), {RESERVED}",
        "E6": f"swiotlb_init_io_tlb_pool(), {SWIOTLB}",
        "E7": f"swiotlb_tbl_map_single(), is_swiotlb_active(), {SWIOTLB}",
        "E8": f"swiotlb_search_pool_area(), {SWIOTLB}",
        "E9": f"rmem_swiotlb_setup(), {SWIOTLB}; fdt_init_reserved_mem_node(), {RESERVED}",
        "E10": f"__rmem_check_for_overlap(), {RESERVED}",
        "E11": f"__reserved_mem_alloc_size(), {RESERVED}",
        "E12": f"fdt_scan_reserved_mem_reg_nodes(), {RESERVED}",
        "E13": f"fdt_scan_reserved_mem(), {RESERVED}",
        "E14": f"rmem_swiotlb_device_init(), {SWIOTLB}",
        "E15": f"setup_io_tlb_npages(), swiotlb_init_remap(), {SWIOTLB}",
        "E16": f"swiotlb_find_slots(), rmem_swiotlb_device_init(), {SWIOTLB}",
        "E17": f"swiotlb_create_debugfs_files(), {SWIOTLB}",
        "F1": f"of_dma_set_restricted_buffer(), {OF_DEVICE}; rmem_swiotlb_device_init(), {SWIOTLB}",
        "F2": f"rmem_swiotlb_device_init(), {SWIOTLB}",
        "F6": f"__dma_direct_alloc_pages(), {DIRECT}",
        "F7": f"swiotlb_find_slots(), {SWIOTLB}",
    }
)
"""Property id to kernel functions and their files, in Linux 6.12.117."""


def properties_of(functions: Iterable[str]) -> tuple[str, ...]:
    """The properties in the table that name one of *functions*."""
    words = {f"{one}()" for one in functions}
    return tuple(one for one, code in CODE.items() if words & set(code.replace(",", " ").split()))


def code_for(properties: Iterable[str]) -> str:
    """The functions behind the first of *properties* that is in the table; empty if none is."""
    return next((CODE[one] for one in properties if one in CODE), "")
