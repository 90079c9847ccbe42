# SPDX-License-Identifier: Apache-2.0
"""C text of DMA API calls: functions, constants and results, as a bug report shows them."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from harness.devices.probe.values import AllocCall, Attr, Direction, DmaError, Gfp
from harness.devices.probe.wire import Setting

ENTRIES = 4
"""Entries of a scatterlist that are shown."""

SETTINGS = {
    Setting.DMA_MASK: "dma_set_mask({device}, {value:#x})",
    Setting.COHERENT_MASK: "dma_set_coherent_mask({device}, {value:#x})",
    Setting.MIN_ALIGN_MASK: "dma_set_min_align_mask({device}, {value:#x})",
    Setting.SEG_BOUNDARY: "dma_set_seg_boundary({device}, {value:#x})",
    Setting.MAX_SEG_SIZE: "dma_set_max_seg_size({device}, {value})",
    Setting.BUS_MASTER: "pci_set_master({device}) [on: {value}]",
    Setting.LEAK: "[driver of {device} leaks what is live when it is unbound: {value}]",
    Setting.REGION: "of_reserved_mem_device_init_by_idx({device}, {value})",
    Setting.NO_REGIONS: "of_reserved_mem_device_release({device})",
}
"""How each parameter of a device is set."""

ALLOCATIONS = {
    AllocCall.COHERENT: "dma_alloc_attrs({device}, {size}, {gfp}, {attrs})",
    AllocCall.PAGES: "dma_alloc_pages({device}, {size}, {direction}, {gfp})",
    AllocCall.NONCOHERENT: "dma_alloc_noncoherent({device}, {size}, {direction}, {gfp})",
    AllocCall.NONCONTIGUOUS: (
        "dma_alloc_noncontiguous({device}, {size}, {direction}, {gfp}, {attrs})"
    ),
    AllocCall.POOL: "dma_pool_alloc(pool of {device}, {size} bytes, {gfp})",
    AllocCall.MANAGED: "dmam_alloc_attrs({device}, {size}, {gfp}, {attrs})",
}
"""guest/probe/allocators.c, without the pointers that results are written to."""

FREE = {
    "coherent": "dma_free_attrs",
    "pages": "dma_free_pages",
    "noncoherent": "dma_free_noncoherent",
    "noncontiguous": "dma_free_noncontiguous",
    "pool": "dma_pool_free",
    "managed": "dmam_free_coherent",
}

GFP = {
    Gfp.KERNEL: "GFP_KERNEL",
    Gfp.ATOMIC: "GFP_ATOMIC",
    Gfp.BOTTOM_HALF: "GFP_ATOMIC",
}

FAILURES = {"MappingError": "DMA_MAPPING_ERROR", "AllocationError": "NULL"}


def failure_text(error: DmaError) -> str:
    """What the function returns, or the error number."""
    return FAILURES.get(type(error).__name__, f"-{error.code}")


def address_text(outcome: Any) -> str:
    """The DMA address that a call returned, or its failure."""
    return failure_text(outcome) if isinstance(outcome, DmaError) else f"{outcome.dma_addr:#x}"


@cache
def direction_text(value: int) -> str:
    """``DMA_TO_DEVICE`` and the like; the number of an unknown one."""
    return f"DMA_{Direction(value).name}" if value in list(Direction) else f"{value}"


@cache
def attrs_text(value: int) -> str:
    """``DMA_ATTR_*``, joined by ``|``; empty for no attribute."""
    return " | ".join(f"DMA_ATTR_{one.name}" for one in Attr(value))


def call_text(name: str, arguments: str, attrs: int) -> str:
    """A call of *name*, or of its variant with attributes if there are any."""
    said = attrs_text(attrs)
    return f"{name}_attrs({arguments}, {said})" if said else f"{name}({arguments})"


def entries_text(entries: Sequence[tuple[str, int]]) -> str:
    """The entries of a scatterlist, address and length, as far as they are shown."""
    shown = [f"{address} {length}" for address, length in entries[:ENTRIES]]
    more = [f"... {len(entries)} entries"] if len(entries) > ENTRIES else []
    return f"[{', '.join((*shown, *more))}]"
