# SPDX-License-Identifier: Apache-2.0
"""Check a devicetree with restricted pools, and say in sentences what cannot work."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from harness.base.space import MIB
from harness.machine.devicetree.region import Region
from harness.machine.devicetree.reserved import (
    RESERVED,
    Shape,
    child_shape,
    memory_region_users,
    pool_nodes,
    ram_regions,
    reserved_nodes,
)
from harness.machine.devicetree.tree import Node, Tree

PAGE = 4096

FORBIDDEN = ("no-map", "reusable", "linux,cma-default", "linux,dma-default")
"""The kernel refuses a pool with one of these (kernel/dma/swiotlb.c:rmem_swiotlb_setup, 6.12)."""

KERNEL_OFFSET = 2 * MIB
INITRD_OFFSET = 128 * MIB
DTB_ALIGNMENT = 2 * MIB


@dataclass(frozen=True)
class BootPayload:
    """Sizes in bytes of what QEMU loads before it starts the machine.

    *kernel* is the image with its bss (``image_size`` of its header), *initrd* the archive. The
    defaults leave room for a kernel with KASAN.
    """

    kernel: int = 64 * MIB
    initrd: int = 32 * MIB


def find_faults(tree: Tree, payload: BootPayload) -> tuple[str, ...]:
    """All faults of the reserved memory of *tree*, a sentence each; () if there are none."""
    return (
        *_wrong_parent(tree),
        *(fault for node in pool_nodes(tree) for fault in _wrong_node(node, tree)),
        *_overlaps(tree),
        *_overlaps_payload(tree, payload),
        *_dangling(tree),
    )


def _wrong_parent(tree: Tree) -> Iterator[str]:
    """Reject what drivers/of/fdt.c:__reserved_mem_check_root rejects: nothing below is reserved."""
    parent, wanted = tree.find(RESERVED), child_shape(tree.root)
    if parent is None:
        return
    shape = child_shape(parent)
    if shape != wanted:
        yield (
            f"{RESERVED} has #address-cells {shape.address} and #size-cells {shape.size} "
            f"where the root has {wanted.address} and {wanted.size}"
        )
    if parent.raw("ranges") is None:
        yield f"{RESERVED} has no 'ranges'"


def _wrong_node(node: Node, tree: Tree) -> Iterator[str]:
    for name in FORBIDDEN:
        if node.raw(name) is not None:
            yield f"{node.name} is '{name}', which the kernel refuses for a restricted pool"
    reg, shape = node.raw("reg"), child_shape(tree.root)
    if reg is not None:
        yield from _wrong_reg(node.name, reg, shape)
    elif node.raw("size") is None:
        yield f"{node.name} has neither 'reg' nor 'size'"
    for region in shape.regions(node):
        yield from _wrong_region(region, ram_regions(tree))


def _wrong_reg(name: str, reg: bytes, shape: Shape) -> Iterator[str]:
    if not reg or len(reg) % shape.stride:
        yield f"the 'reg' of {name} has {len(reg)} bytes, not a multiple of {shape.stride}"
    elif len(reg) > shape.stride:
        yield f"the 'reg' of {name} has several entries; the kernel uses only the first"


def _wrong_region(region: Region, ram: Sequence[Region]) -> Iterator[str]:
    if region.size == 0:
        yield f"{region.name} is empty"
    if region.base % PAGE or region.size % PAGE:
        yield f"base or size of {region} is not a multiple of {PAGE}"
    if not any(bank.contains(region.base, region.size) for bank in ram):
        there = ", ".join(str(bank) for bank in ram) or "none"
        yield f"{region} is not inside RAM, which is {there}"


def _overlaps(tree: Tree) -> Iterator[str]:
    shape = child_shape(tree.root)
    regions = [region for node in reserved_nodes(tree) for region in shape.regions(node)]
    regions += [Region(base, size, "/memreserve/") for base, size in tree.reservations]
    for one, other in combinations(sorted(regions, key=lambda region: region.base), 2):
        if one.overlaps(other):
            yield f"{one} and {other} overlap"


def _overlaps_payload(tree: Tree, payload: BootPayload) -> Iterator[str]:
    shape, ram = child_shape(tree.root), ram_regions(tree)
    loaded = _loaded(ram[0], payload) if ram else ()
    for node in pool_nodes(tree):
        for region in shape.regions(node):
            for other in loaded:
                if region.overlaps(other):
                    yield f"{region} overlaps {other}, as QEMU loads it"


def _loaded(ram: Region, payload: BootPayload) -> tuple[Region, ...]:
    """The ranges that QEMU 7.2 loads to.

    hw/arm/boot.c:load_aarch64_image, arm_setup_direct_kernel_boot.

    The initial RAM disk starts at half of RAM or 128 MiB, the lower of them, but not before the
    end of the kernel; the devicetree at the next multiple of 2 MiB after it.
    """
    kernel = Region(ram.base + KERNEL_OFFSET, payload.kernel, "the kernel")
    start = max(ram.base + min(ram.size // 2, INITRD_OFFSET), kernel.end)
    dtb = -(-(start + payload.initrd) // DTB_ALIGNMENT) * DTB_ALIGNMENT
    behind = dtb + DTB_ALIGNMENT - start
    return kernel, Region(start, behind, "the initial RAM disk and the devicetree")


def _dangling(tree: Tree) -> Iterator[str]:
    phandles = {node.number("phandle", 0) for node in tree.nodes()}
    for phandle, users in memory_region_users(tree).items():
        if phandle not in phandles:
            where = f"'memory-region' of {', '.join(users)}"
            yield f"{where} refers to phandle {phandle:#x}, which no node has"
