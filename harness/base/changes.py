# SPDX-License-Identifier: Apache-2.0
"""Changes of Linux after which a property says something else, or a test needs something else.

A change has the version of Linux that it came with and, where there is one, a sign of it in the
kernel itself. The sign wins: vendors take changes into older kernels, and a git revision lies
between two versions. :mod:`harness.kernel.changes` looks for both in a kernel.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

NEWEST_READ = "7.3"
"""The newest Linux that this table was written from; a newer one gets the newest rules."""


class SignKind(Enum):
    """Where a kernel shows that it has a change."""

    SYMBOL = "symbol"
    """A function or variable of vmlinux."""
    TEXT = "text"
    """A part of a message, in vmlinux."""
    MEMBER = "member"
    """A member of a structure, as ``io_tlb_mem.defpool``; read from DWARF."""


@dataclass(frozen=True)
class Sign:
    """What a kernel with a change has, and a kernel without it lacks."""

    kind: SignKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind.value} {self.name}"


@dataclass(frozen=True)
class Change:
    """A change of the kernel: *what* it is, *since* which version; its *sign*, None without one."""

    what: str
    since: str
    sign: Sign | None = None


def _symbol(name: str) -> Sign:
    return Sign(SignKind.SYMBOL, name)


CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        "used-hiwater": Change(
            "8b0977ecc8b3: debugfs counts the peak of used slots",
            "6.3",
            Sign(SignKind.TEXT, "io_tlb_used_hiwater"),
        ),
        "defpool": Change(
            "158dbe9c9a3d, 1aaa736815eb: memory of a pool apart from the pool; SWIOTLB_DYNAMIC",
            "6.6",
            Sign(SignKind.MEMBER, "io_tlb_mem.defpool"),
        ),
        "skip-sync": Change(
            "f406c8e4b770: a device that never bounces skips its syncs",
            "6.10",
            _symbol("__dma_need_sync"),
        ),
        "dma-trace": Change(
            "038eb433dc14: trace events of the DMA API", "6.12", _symbol("__tracepoint_dma_alloc")
        ),
        "late-reserved-memory": Change(
            "8a6e02d0c00e: nodes with reg are set up after the linear map is made", "6.12.13"
        ),
        "absent-region-inherits": Change(
            "of_dma_set_restricted_buffer() asks only whether memory-region is there", "6.16"
        ),
        "larger-requests": Change(
            "9b8b84879d4a: a disk takes requests of 4 MiB by default, not of 1280 KiB", "6.17"
        ),
        "map-phys": Change(
            "dma_map_phys(), on which all mappings of one piece of memory are based; MMIO, as of "
            "dma_map_resource(), is refused where it had to bounce",
            "6.18",
            _symbol("dma_map_phys"),
        ),
        "require-coherent": Change(
            "2536617f20dd, e6a58fa25562: DMA_ATTR_REQUIRE_COHERENT",
            "7.0",
            Sign(SignKind.TEXT, "REQUIRE_COHERENT"),
        ),
        "rings-in-order": Change(
            "drivers/virtio takes VIRTIO_F_IN_ORDER",
            "7.0",
            Sign(SignKind.MEMBER, "vring_virtqueue.layout"),
        ),
        "one-reg": Change(
            "of several reg entries only the first is reserved",
            "7.2",
            Sign(SignKind.TEXT, "entries, only the first is used"),
        ),
        "masks-reach-ram": Change(
            "dma_direct_supported() refuses a mask that ends before RAM does", "7.2"
        ),
        "track-hiwater": Change(
            "121f9fd1c308: the peak of used slots is counted with swiotlb=track_hiwater only",
            "7.3",
            Sign(SignKind.TEXT, "track_hiwater"),
        ),
        "shared-pools": Change(
            "pools know whether they are shared with the host (CC_SHARED)",
            "7.3",
            Sign(SignKind.MEMBER, "io_tlb_mem.cc_shared"),
        ),
    }
)
"""Name to change, in the order of the versions."""
