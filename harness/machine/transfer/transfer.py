# SPDX-License-Identifier: Apache-2.0
"""Take the reserved memory of a board, and its users, over to QEMU's machine."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from harness.base.address_range import AddressRange
from harness.base.errors import InputError
from harness.base.hex_repr import hex_repr
from harness.machine.devicetree.board import Board
from harness.machine.devicetree.flat import FlatTree
from harness.machine.devicetree.model.attachment import named_pools
from harness.machine.devicetree.model.environment import KernelVersion
from harness.machine.devicetree.model.memory import read_ram
from harness.machine.devicetree.model.spans import Spans
from harness.machine.devicetree.reserved import RESTRICTED
from harness.machine.transfer.address_map import AddressMap, Moved, map_addresses
from harness.machine.transfer.overlay_node import OverlayNode, overlay_source
from harness.machine.transfer.regions import BoardRegion, BoardRegions, add_regions, read_regions
from harness.machine.transfer.stand_ins import StandIn, StandIns, host_of, users_of

PAGE = 4096


@hex_repr
@dataclass(frozen=True)
class RegionMove:
    """An entry of a region's reg: its range on the board, and its *place* on the machine."""

    path: str
    range: AddressRange
    place: AddressRange

    def __str__(self) -> str:
        if self.range == self.place:
            return f"{self.path}: stays at {self.range}"
        return f"{self.path}: {self.range} is at {self.place}"


@dataclass(frozen=True)
class Transfer:
    """What a board is on QEMU's machine.

    *overlay* is a source for ``--shape``; *ram_size* in bytes. *remarks* say what is not as on the
    board, a sentence each.
    """

    name: str
    overlay: str = field(repr=False)
    ram_size: int
    moves: tuple[RegionMove, ...]
    stand_ins: tuple[StandIn, ...]
    remarks: tuple[str, ...]


def transfer_board(
    board: Board,
    kernel: KernelVersion,
    ram_size: int | None = None,
    ram: Sequence[AddressRange] = (),
) -> Transfer:
    """Take *board* over to a machine with *ram_size* bytes of RAM, or as much as it needs.

    What devices reach, and what is RAM, is by the rules of *kernel*, which shall run there.
    *ram* is the board's, if its memory nodes do not say. Raises InputError if there is nothing to
    try: no pool, nothing that names one, or no room.
    """
    tree, name = board.tree, board.name
    regions = read_regions(tree)
    _require_pools(name, tree, regions)
    banks = tuple(ram) or tuple(read_ram(tree, kernel, PAGE))
    dynamic = sum(one.dynamic_size for one in regions.all)
    try:
        addresses = map_addresses(regions.entries(), banks, ram_size, dynamic)
    except InputError as fault:
        raise InputError(f"{name}: {fault}") from fault
    targets = {"/": OverlayNode()}
    labels = add_regions(targets["/"], regions, addresses)
    made = tuple(StandIns(tree, labels, addresses, targets, kernel).add_all())
    moves = tuple(_moves(regions.all, addresses))
    remarks = tuple(_remarks(tree, regions, addresses, bool(banks)))
    said = [f"{name} on QEMU's machine, as harness try takes it over.", ""]
    said += map(str, (*moves, *made))
    return Transfer(
        name=name,
        overlay=overlay_source(targets, said),
        ram_size=addresses.ram_size,
        moves=moves,
        stand_ins=made,
        remarks=remarks,
    )


def _require_pools(name: str, tree: FlatTree, regions: BoardRegions) -> None:
    if not any(one.node.is_compatible(RESTRICTED) for one in regions.all):
        raise InputError(
            f"{name}: no node of /reserved-memory is a {RESTRICTED}, so there is nothing to try. "
            "Add the overlay that has it with --overlay=FILE."
        )
    if not any(named_pools(node, tree) for node in users_of(tree)):
        raise InputError(
            f"{name}: no node names a restricted pool in its memory-region, so there is no device "
            "to try it with. See docs/lint.md for where memory-region must be."
        )


def _moves(regions: Sequence[BoardRegion], addresses: AddressMap) -> Iterator[RegionMove]:
    for one in regions:
        for entry in one.entries:
            yield RegionMove(one.path, entry, addresses.moved_range(entry))


def _remarks(
    tree: FlatTree, regions: BoardRegions, addresses: AddressMap, knows_ram: bool
) -> Iterator[str]:
    if not knows_ram:
        yield "the board has no memory node: all regions are taken for RAM (--memory=BASE+SIZE)"
    if not regions.understood:
        yield (
            f"the kernel ignores the board's /reserved-memory, because {regions.why}; so it does "
            "here, because its cells are not those of the root"
        )
    yield from _outside(regions, addresses)
    for one in addresses.crossed:
        yield f"{_crossing(one)}. More --machine-memory keeps it on its side"
    count = len(tree.reservations)
    if count:
        yield f"{count} /memreserve/ entries are not taken over"
    for node in users_of(tree):
        for name in ("iommus", "iommu-map"):
            if name in node.properties:
                yield f"{node.path}: {name} is not taken over: tried as if no driver served it"
    hosts = dict.fromkeys(host for node in users_of(tree) if (host := host_of(node)))
    if len(hosts) > 1:
        yield (
            f"the board has {len(hosts)} PCI host bridges with reserved memory, QEMU's virt board "
            "has one: platform devices stand in for the others"
        )


def _outside(regions: BoardRegions, addresses: AddressMap) -> Iterator[str]:
    """Pools that are no RAM by the board's memory nodes, which the boot loader may change."""
    ram = Spans(addresses.banks)
    for one in regions.all:
        outside = [entry for entry in one.entries if ram and not ram.covers(entry)]
        if outside and one.node.is_compatible(RESTRICTED):
            banks = ", ".join(map(AddressRange.__str__, ram.ranges()))
            yield (
                f"{one.path}: {outside[0]} is not in the board's RAM, which is {banks}, and so it "
                "is not in the machine's: if the boot loader adds RAM there, say so with "
                "--memory=BASE+SIZE"
            )


def _crossing(one: Moved) -> str:
    side, other = ("above", "below") if one.base >= 1 << 32 else ("below", "above")
    return f"{AddressRange.__str__(one)} is {side} 4 GiB on the board and {other} it here"
