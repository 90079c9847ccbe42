# SPDX-License-Identifier: Apache-2.0
"""Memory in a devicetree: RAM, reserved regions, restricted pools and their users."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.base.address_range import joined
from harness.base.errors import DevicetreeError
from harness.base.hex_repr import hex_repr
from harness.machine.devicetree.region import DynamicPool, Placement, Pool, Region
from harness.machine.devicetree.tree import CELL, Node, Tree

RESTRICTED = "restricted-dma-pool"
"""The binding's compatible (kernel/dma/swiotlb.c:rmem_swiotlb_setup, since 5.15)."""

RESERVED = "/reserved-memory"
DEFAULT_ADDRESS_CELLS, DEFAULT_SIZE_CELLS = 2, 1  # DTSpec 0.4, 2.3.5


@hex_repr
@dataclass(frozen=True)
class Shape:
    """Cells of an address and of a size in the ``reg`` of a node's children."""

    address: int
    size: int

    @property
    def stride(self) -> int:
        """Bytes in one address and size."""
        return (self.address + self.size) * CELL

    def regions(self, node: Node) -> tuple[Region, ...]:
        """All whole entries of the node's ``reg``."""
        data = node.raw("reg") or b""
        split = self.address * CELL
        tuples = [data[at : at + self.stride] for at in range(0, len(data), self.stride)]
        return tuple(
            Region(int.from_bytes(entry[:split]), int.from_bytes(entry[split:]), node.name)
            for entry in tuples
            if len(entry) == self.stride
        )

    def pack(self, base: int, size: int) -> bytes:
        """One entry of ``reg``."""
        return base.to_bytes(self.address * CELL) + size.to_bytes(self.size * CELL)


def child_shape(node: Node) -> Shape:
    """The shape that *node* sets for its children."""
    return Shape(
        node.number("#address-cells", DEFAULT_ADDRESS_CELLS),
        node.number("#size-cells", DEFAULT_SIZE_CELLS),
    )


def ram_regions(tree: Tree) -> tuple[Region, ...]:
    """RAM in ascending order, adjacent nodes (one for each NUMA node) joined to one region."""
    shape = child_shape(tree.root)
    banks = [node for node in tree.root.children() if "memory" in node.strings("device_type")]
    regions = joined(region for node in banks for region in shape.regions(node))
    return tuple(Region(region.base, region.size, "RAM") for region in regions)


def reserved_nodes(tree: Tree) -> Iterator[Node]:
    """The children of /reserved-memory that are not disabled."""
    parent = tree.find(RESERVED)
    for node in parent.children() if parent else ():
        if node.strings("status") in {(), ("okay",), ("ok",)}:
            yield node


def pool_nodes(tree: Tree) -> Iterator[Node]:
    """The reserved nodes that are restricted pools."""
    return (node for node in reserved_nodes(tree) if RESTRICTED in node.strings("compatible"))


def take_labels(tree: Tree) -> dict[str, Node]:
    """Remove the node ``__symbols__`` of ``dtc -@``, and return the node of each label."""
    symbols = tree.find("/__symbols__")
    if symbols is None:
        return {}
    by_path = {node.path: node for node in tree.nodes()}
    paths = {label: symbols.strings(label)[0] for label in symbols.properties()}
    tree.root.remove_child("__symbols__")
    return {label: by_path[path] for label, path in paths.items() if path in by_path}


def place(tree: Tree, labels: Mapping[str, Node], placements: Mapping[str, Placement]) -> None:
    """Move and resize pools, named by their label, and rename their nodes to match."""
    shape = child_shape(tree.root)
    for label, placement in placements.items():
        if label not in labels:
            known = ", ".join(sorted(labels)) or "none"
            raise DevicetreeError(
                f"no pool of these overlays has the label '{label}'; the labels are: {known}."
            )
        _place(labels[label], shape, placement)


def _place(node: Node, shape: Shape, placement: Placement) -> None:
    now = shape.regions(node)
    if not now:
        _resize(node, shape, placement)
        return
    base = now[0].base if placement.base is None else placement.base
    size = now[0].size if placement.size is None else placement.size
    rest = (node.raw("reg") or b"")[shape.stride :]
    node.set_bytes("reg", shape.pack(base, size) + rest)
    node.rename(f"{node.name.partition('@')[0]}@{base:x}")


def _resize(node: Node, shape: Shape, placement: Placement) -> None:
    """Resize a pool that the kernel places."""
    if placement.base is not None:
        raise DevicetreeError(
            f"{node.path} cannot have a base: it has no 'reg', so the kernel places it. "
            "Give a size only, or use an overlay with a fixed pool."
        )
    if placement.size is not None:
        node.set_bytes("size", placement.size.to_bytes(shape.size * CELL))


def read_pools(tree: Tree, labels: Mapping[str, Node]) -> tuple[Pool | DynamicPool, ...]:
    """The restricted pools of a tree that have a ``reg`` or ``size``, in its order."""
    names = {node.path: label for label, node in labels.items()}
    users = memory_region_users(tree)
    shape = child_shape(tree.root)
    found: list[Pool | DynamicPool] = []
    for node in pool_nodes(tree):
        label, used_by = names.get(node.path, ""), users[node.number("phandle", 0)]
        regions = shape.regions(node)
        if regions:
            first = regions[0]
            found.append(Pool(first.base, first.size, first.name, label, used_by))
        elif node.raw("size") is not None:
            size, alignment = node.number("size", 0), node.number("alignment", 0)
            found.append(DynamicPool(node.name, size, alignment, label, used_by))
    return tuple(found)


def memory_region_users(tree: Tree) -> Mapping[int, tuple[str, ...]]:
    """The paths of the nodes whose ``memory-region`` refers to each phandle."""
    users: defaultdict[int, tuple[str, ...]] = defaultdict(tuple)
    for node in tree.nodes():
        for phandle in node.cells("memory-region"):
            users[phandle] += (node.path,)
    return users
