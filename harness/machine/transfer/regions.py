# SPDX-License-Identifier: Apache-2.0
"""The board's /reserved-memory as nodes of an overlay, at the addresses of the machine."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from harness.base.address_range import AddressRange
from harness.machine.devicetree.flat import CELL, FlatNode, FlatTree
from harness.machine.devicetree.model.memory import Cells, root_cells
from harness.machine.devicetree.model.regions import FORBIDDEN, SHARED
from harness.machine.devicetree.model.scan import is_understood
from harness.machine.devicetree.reserved import RESTRICTED
from harness.machine.transfer.address_map import AddressMap
from harness.machine.transfer.overlay_node import OverlayNode, cells, raw, safe_name

RESERVED = "reserved-memory"
KINDS = (RESTRICTED, SHARED)
"""The compatibles by which the kernel's handlers take a region; others only make a device of it."""

WIDE = 2
"""Cells of an address and of a size on the machine."""

WRONG = 3 * CELL
"""Bytes that are no number there."""


@dataclass(frozen=True)
class BoardRegion:
    """A node of /reserved-memory: the *entries* of its reg, and of its alloc-ranges."""

    node: FlatNode
    entries: tuple[AddressRange, ...]
    ranges: tuple[AddressRange, ...]

    @property
    def path(self) -> str:
        """The path of the node."""
        return self.node.path

    @property
    def dynamic_size(self) -> int:
        """Bytes that the kernel shall find a place for; 0 if the node has one."""
        if "reg" in self.node.properties:
            return 0
        return int.from_bytes(self.node.properties.get("size", b"")[:8])


@dataclass(frozen=True)
class BoardRegions:
    """All nodes of /reserved-memory, which the kernel reads with *cells* if they are *understood*.

    *why* says why it does not.
    """

    all: tuple[BoardRegion, ...]
    cells: Cells
    understood: bool
    why: str = ""

    def entries(self) -> Iterator[AddressRange]:
        """Every place of a region."""
        for one in self.all:
            yield from one.entries


def read_regions(tree: FlatTree) -> BoardRegions:
    """The regions of *tree*; they are read with the cells that their parent has."""
    parent = tree.root.child(RESERVED)
    wanted = root_cells(tree)
    if parent is None:
        return BoardRegions((), wanted, understood=True)
    understood = is_understood(parent, wanted)
    own = Cells(parent.cell("#address-cells", 2), parent.cell("#size-cells", 1))
    used = wanted if understood else own
    why = "it has no ranges" if own == wanted else "its cells are not those of the root"
    found = (
        BoardRegion(
            node,
            used.entries(node.properties.get("reg", b"")),
            used.entries(node.properties.get("alloc-ranges", b"")),
        )
        for node in parent.children
    )
    return BoardRegions(tuple(found), used, understood, "" if understood else why)


def add_regions(root: OverlayNode, found: BoardRegions, addresses: AddressMap) -> Mapping[str, str]:
    """Add the regions to the overlay's *root*; returns the label of each by its path."""
    parent = root.child(RESERVED)
    # cells that are not those of the root: the kernel then reads no region, as on the board
    width = WIDE if found.understood else 1
    parent.set("#address-cells", cells(width))
    parent.set("#size-cells", cells(width))
    parent.set("ranges")
    labels = {}
    for number, one in enumerate(found.all):
        node = parent.child(_name(one, addresses, parent))
        labels[one.path] = node.label = f"region_{number}"
        _fill(node, one, found, addresses)
    return labels


def _name(one: BoardRegion, addresses: AddressMap, parent: OverlayNode) -> str:
    """The node's name, with the new address if it has the old one."""
    stem, at, unit = one.node.name.partition("@")
    if at and one.entries and unit == f"{one.entries[0].base:x}":
        renamed = safe_name(f"{stem}@{addresses.moved_range(one.entries[0]).base:x}")
        if renamed not in parent.children:
            return renamed
    return one.node.name


def _fill(node: OverlayNode, one: BoardRegion, found: BoardRegions, addresses: AddressMap) -> None:
    had = one.node.properties
    kinds = [word for word in one.node.strings("compatible") if word.lower() in KINDS]
    if kinds:
        node.set("compatible", ", ".join(f'"{word}"' for word in kinds))
    for name in (*FORBIDDEN, "status"):
        if name in had:
            node.set(name, raw(had[name]))
    used = found.cells
    width = WIDE if found.understood else 1
    moved = [addresses.moved_range(place) for place in one.entries]
    _set_places(node, "reg", had.get("reg"), used.stride, moved, width)
    near = [addresses.moved_choice(place, one.dynamic_size) for place in one.ranges]
    _set_places(node, "alloc-ranges", had.get("alloc-ranges"), used.stride, near, width)
    _set_number(node, "size", had.get("size"), used.size, width)
    _set_number(node, "alignment", had.get("alignment"), used.address, width)


def _set_places(
    node: OverlayNode,
    name: str,
    had: bytes | None,
    stride: int,
    places: list[AddressRange],
    width: int,
) -> None:
    """Write places; what is no whole number of entries on the board is none here either."""
    if had is None:
        return
    wrong = [raw(bytes(CELL))] if stride and len(had) % stride else []
    numbers = [number for place in places for number in (place.base, place.size)]
    written = [cells(*_fitting(numbers, width), width=width)] if numbers else []
    node.set(name, ", ".join([*written, *wrong]))


def _set_number(node: OverlayNode, name: str, had: bytes | None, own: int, width: int) -> None:
    if had is None:
        return
    right = len(had) == own * CELL
    number = int.from_bytes(had)
    node.set(name, cells(*_fitting([number], width), width=width) if right else raw(bytes(WRONG)))


def _fitting(numbers: list[int], width: int) -> list[int]:
    return [number & ((1 << 32 * width) - 1) for number in numbers]
