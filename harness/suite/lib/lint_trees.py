# SPDX-License-Identifier: Apache-2.0
"""Devicetrees for a guest, plain and odd, made by Hypothesis on top of QEMU's own."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from harness.machine.devicetree.flat import FlatNode, read_blob
from harness.machine.devicetree.flat_write import write_blob
from harness.machine.virtio import VirtioDevice

RAM, RAM_END = 0x4000_0000, 0x5000_0000
"""The 256 MiB of a test's machine."""

KIB, MIB = 1 << 10, 1 << 20
PROBE = b"restricted-dma-harness,probe\0"
RESTRICTED, SHARED = b"restricted-dma-pool\0", b"shared-dma-pool\0"
HOST = "pcie@10000000"
ENTROPY = VirtioDevice("rng", 30)
"""A device that may refer to a pool; a kernel reads from it when it boots."""

NO_NODE, DISABLED_IOMMU = 0xDEAD, 0xD15A
FIRST_REGION, FIRST_DEVICE = 0x1000, 0x2000
"""phandles of the nodes that are made here."""

Properties = tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Made:
    """A node to add: name, properties, children."""

    name: str
    properties: Properties = ()
    children: tuple["Made", ...] = ()

    def below(self, parent: FlatNode) -> None:
        """Add it to *parent*."""
        node = FlatNode(self.name, parent, 0, dict(self.properties))
        parent.children.append(node)
        for child in self.children:
            child.below(node)


@dataclass(frozen=True)
class MadeTree:
    """What is added to QEMU's devicetree; the host bridge loses the properties *host_lacks*."""

    reserved: Made | None
    devices: tuple[Made, ...]
    host: Properties = ()
    host_lacks: tuple[str, ...] = ()
    functions: tuple[Made, ...] = ()
    transport: Properties = ()
    reservations: tuple[tuple[int, int], ...] = ()
    chosen: Properties = ()
    size_cells: int = 2

    def blob(self, base: bytes) -> bytes:
        """QEMU's blob *base* with all of it."""
        tree = read_blob(base)
        _narrow(tree.root, self.size_cells)
        if self.reserved is not None:
            self.reserved.below(tree.root)
        for one in self.devices:
            one.below(tree.root)
        host = tree.root.child(HOST)
        assert host is not None, f"QEMU's board has {HOST}"
        host.properties |= dict(self.host)
        for name in self.host_lacks:
            host.properties.pop(name, None)
        for one in self.functions:
            one.below(host)
        transport = tree.find(ENTROPY.node)
        assert transport is not None, f"QEMU's board has {ENTROPY.node}"
        transport.properties |= dict(self.transport)
        chosen = tree.root.child("chosen")
        if chosen is not None:
            chosen.properties |= dict(self.chosen)
        return write_blob(tree.root, self.reservations)


def _narrow(root: FlatNode, size_cells: int) -> None:
    """Give the root 1 cell for sizes instead of 2, and its children's reg the same."""
    if size_cells == 1:
        root.properties["#size-cells"] = cell(1)
        for node in root.children:
            reg = node.properties.get("reg", b"")
            entries = (reg[at : at + 16] for at in range(0, len(reg), 16))
            if reg and not len(reg) % 16:
                node.properties["reg"] = b"".join(one[:8] + one[12:] for one in entries)


def cell(number: int) -> bytes:
    """A property of one cell."""
    return number.to_bytes(4)


def pair(number: int) -> bytes:
    """A property of two cells."""
    return number.to_bytes(8)


def whole_page(base: int) -> bytes:
    """The reg of one page in a root with 2 cells each."""
    return pair(base) + pair(4 * KIB)


def _mostly(
    usual: st.SearchStrategy[bytes | None], *odd: bytes | None, of: int = 6
) -> st.SearchStrategy[bytes | None]:
    """*usual*, and one time in *of* one of *odd*."""
    return st.integers(1, of).flatmap(lambda n: usual if n < of else st.sampled_from(odd))


NOTHING: st.SearchStrategy[bytes | None] = st.just(None)
STATUS = _mostly(NOTHING, b"okay\0", b"ok\0", b"disabled\0", b"", b"reserved\0", of=5)
COMPATIBLE = _mostly(
    st.just(RESTRICTED),
    RESTRICTED + SHARED, SHARED + RESTRICTED, SHARED, None, b"Restricted-DMA-Pool\0", b"other\0",
    of=3,
)  # fmt: skip
SIZES = st.sampled_from(
    (
        *(256 * KIB, MIB, 4 * MIB, 16 * MIB),
        *(256 * KIB, 512 * KIB, 2 * MIB, MIB),
        *(
            0,
            1,
            2 * KIB,
            4 * KIB,
            6 * KIB,
            64 * KIB,
            258 * KIB,
            MIB + KIB,
            7 * MIB,
            64 * MIB,
            350 * MIB,
        ),
    )
)
BASES = st.one_of(
    st.integers(0, 31).map(lambda n: 0x4C00_0000 + n * 2 * MIB),
    st.sampled_from(
        (
            *(0x4E00_0800, 0x4E00_1000, 0x4E01_0000, 0x4E00_0400, 0x4FF0_0000, 0x4FFF_F000),
            *(0x5000_0000, 0x4F80_0000, 0x9_0000_0000, 0),
        )
    ),
)
FLAGS = st.lists(
    st.sampled_from(("no-map", "reusable", "linux,cma-default", "linux,dma-default")),
    max_size=2,
    unique=True,
)


@st.composite
def dma_ranges(draw: st.DrawFn, size_cells: int) -> bytes | None:
    """What a bus reaches: mostly everything; one window, neighbours, a hole, or a wrong value."""

    def entry(dma: int, base: int, size: int) -> bytes:
        return pair(dma) + pair(base) + size.to_bytes(4 * size_cells)

    half = (RAM_END - RAM) // 2
    dma = draw(st.sampled_from((0, RAM, 1 << 32)))
    first, second = entry(dma, RAM, half), entry(dma + half, RAM + half, half)
    some = st.sampled_from(
        (
            *(first + second, first, second, second + first, first + entry(0, RAM + half, half)),
            *(first[:12], b"", first + second[:8], entry(dma, RAM, 0)),
        )
    )
    return draw(some) if draw(st.integers(1, 3)) == 3 else None


@st.composite
def regions(draw: st.DrawFn, number: int, size_cells: int) -> Made:
    """A child of /reserved-memory."""

    def sized(size: int) -> bytes:
        return (size & (1 << 32 * size_cells) - 1).to_bytes(4 * size_cells)

    found: dict[str, bytes | None] = {"phandle": cell(FIRST_REGION + number)}
    found["compatible"] = draw(COMPATIBLE)
    found["status"] = draw(STATUS)
    if draw(st.integers(1, 5)) == 5:
        found |= dict.fromkeys(draw(FLAGS), b"")
    base, size = draw(BASES), draw(SIZES)
    how = draw(st.sampled_from(("reg", "reg", "reg", "size", "size", "both", "none")))
    if how in ("reg", "both"):
        whole = pair(base) + sized(size)
        more = whole + pair(draw(BASES)) + sized(MIB)
        found["reg"] = draw(_mostly(st.just(whole), more, whole[:12], b"", of=8))
    if how in ("size", "both"):
        found["size"] = draw(_mostly(st.just(sized(size)), sized(size) + cell(0), b"", of=10))
        found["alignment"] = draw(
            _mostly(
                st.sampled_from((256 * KIB, 4 * KIB, 2 * MIB)).map(pair),
                None,
                pair(0),
                pair(3 * KIB),
                pair(2 * KIB),
                cell(4 * KIB),
                of=3,
            )
        )
        window = pair(draw(BASES)) + sized(draw(SIZES))
        other = pair(draw(BASES)) + sized(16 * MIB)
        found["alloc-ranges"] = draw(
            _mostly(NOTHING, window, window + other, other, b"", window[:8], of=2)
        )
    unit = draw(st.sampled_from((f"@{base:x}", f"@{base:x}", "", f"@{number}")))
    stem = draw(st.sampled_from(("pool", "pool", "region")))
    name = f"{stem}-{number}{unit}" if draw(st.integers(1, 5)) < 5 else f"pool{unit}"
    if draw(st.integers(1, 10)) == 10:
        found |= {"compatible": SHARED, "reusable": b"", "reg": pair(base) + sized(4 * MIB)}
    inner = Made("inner", (("compatible", RESTRICTED), ("reg", whole_page(base))))
    return Made(name, given_properties(found), (inner,) if draw(st.integers(1, 12)) == 12 else ())


@st.composite
def references(draw: st.DrawFn, count: int, own: int) -> bytes | None:
    """A memory-region: mostly one region of *count*, sometimes nothing of use."""
    targets = st.one_of(
        st.integers(0, max(0, count - 1)).map(lambda n: FIRST_REGION + n),
        st.sampled_from((NO_NODE, 0, 0xFFFF_FFFF, own)),
    )
    some = b"".join(map(cell, draw(st.lists(targets, min_size=1, max_size=3))))
    first = cell(FIRST_REGION + draw(st.integers(0, max(0, count - 1))))
    return draw(_mostly(st.just(first), some, b"", None, some[:3], some + b"\0\0", of=2))


@st.composite
def devices(draw: st.DrawFn, number: int, count: int, size_cells: int) -> Made:
    """A device of the probe driver, alone or below another node."""
    own = FIRST_DEVICE + number
    found: dict[str, bytes | None] = {
        "compatible": draw(_mostly(st.just(PROBE), None, b"other\0", of=8)),
        "phandle": cell(own),
        "memory-region": draw(references(count, own)),
        "status": draw(STATUS),
        "iommus": draw(_mostly(NOTHING, cell(DISABLED_IOMMU) + cell(1), cell(NO_NODE), of=8)),
    }
    device = Made(f"probe-{'abcdefgh'[number]}", given_properties(found))
    parent = draw(
        _mostly(NOTHING, b"simple-bus\0", b"simple-mfd\0", b"other\0", b"", b"Simple-Bus\0", of=3)
    )
    if parent is None:
        return device
    around: dict[str, bytes | None] = {
        "compatible": parent or None,
        "status": draw(STATUS),
        "#address-cells": draw(_mostly(st.just(cell(2)), None)),
        "#size-cells": draw(_mostly(st.just(cell(size_cells)), None)),
        "dma-ranges": draw(dma_ranges(size_cells)),
        "memory-region": draw(references(count, 0)) if draw(st.integers(1, 4)) == 4 else None,
    }
    return Made(f"bus-{number}", (*given_properties(around), ("ranges", b"")), (device,))


@st.composite
def elsewhere(draw: st.DrawFn, children: Sequence[Made]) -> tuple[Made, ...]:
    """Sometimes a pool that is not in /reserved-memory, with or without the name of another."""
    if draw(st.integers(1, 6)) < 6:
        return ()
    name = draw(st.sampled_from(("pool-elsewhere", *(one.name for one in children))))
    found = {
        "compatible": RESTRICTED,
        "phandle": cell(NO_NODE),
        "reg": pair(0x4DC0_0000) + pair(MIB),
    }
    inner = Made(name, tuple(found.items()))
    return (Made("elsewhere", (("#address-cells", cell(2)), ("#size-cells", cell(2))), (inner,)),)


@st.composite
def functions(draw: st.DrawFn, count: int) -> tuple[Made, ...]:
    """Nodes of the root ports of the machine, 01.0 and 02.0, or of functions that are not there."""
    made = []
    for slot in draw(st.lists(st.sampled_from((1, 2, 9)), max_size=2, unique=True)):
        found: dict[str, bytes | None] = {
            "reg": cell(slot << 11) + bytes(16),
            "device_type": b"pci\0",
            "#address-cells": cell(3),
            "#size-cells": cell(2),
            "ranges": b"",
            "memory-region": draw(references(count, 0)),
            "status": draw(STATUS),
        }
        made.append(Made(f"pcie@{slot},0", given_properties(found)))
    return tuple(made)


IOMMU = Made(
    "iommu",
    (
        ("compatible", b"arm,smmu-v3\0"),
        ("phandle", cell(DISABLED_IOMMU)),
        ("#iommu-cells", cell(1)),
        ("status", b"disabled\0"),
    ),
)


@st.composite
def trees(draw: st.DrawFn) -> MadeTree:
    """A devicetree."""
    count, size_cells = draw(st.integers(1, 4)), draw(st.sampled_from((2, 2, 2, 1)))
    children = [draw(regions(number, size_cells)) for number in range(count)]
    parent: dict[str, bytes | None] = {
        "#address-cells": draw(_mostly(st.just(cell(2)), cell(1), None, of=20)),
        "#size-cells": draw(_mostly(st.just(cell(size_cells)), cell(3 - size_cells), None, of=20)),
        "ranges": draw(_mostly(st.just(b""), None, of=20)),
    }
    entries = st.tuples(
        st.sampled_from((0x4FF0_0000, 0x4E00_0000, 0x4D00_0000)), st.sampled_from((4 * KIB, MIB))
    )
    usable = st.sampled_from(
        (pair(RAM) + pair(0xF80_0000), pair(RAM) + pair(0xE80_0000) + pair(0x4F00_0000) + pair(MIB))
    )
    limit = draw(_mostly(NOTHING, draw(usable), of=12)) if size_cells == 2 else None
    chosen = {"linux,usable-memory-range": limit}
    parent_name = draw(st.sampled_from(("reserved-memory",) * 9 + ("reserved-memory@0",)))
    return MadeTree(
        reserved=Made(parent_name, given_properties(parent), tuple(children)),
        size_cells=size_cells,
        devices=(
            *(draw(devices(n, count, size_cells)) for n in range(draw(st.integers(1, 4)))),
            *draw(elsewhere(children)),
            IOMMU,
        ),
        host=given_properties(
            {
                "memory-region": draw(st.one_of(NOTHING, references(count, 0))),
                "iommu-map": draw(_mostly(NOTHING, MAP_ALL, MAP_SOME, MAP_ALL[:12], of=4)),
            }
        ),
        functions=draw(functions(count)),
        transport=given_properties(
            {"memory-region": draw(st.one_of(NOTHING, references(count, 0)))}
        ),
        reservations=tuple(draw(st.lists(entries, max_size=1))),
        chosen=given_properties(chosen),
    )


def given_properties(properties: dict[str, bytes | None]) -> Properties:
    """The properties that have a value."""
    return tuple((name, value) for name, value in properties.items() if value is not None)


MAP_ALL = cell(0) + cell(DISABLED_IOMMU) + cell(0) + cell(0x10000)
MAP_SOME = cell(0) + cell(DISABLED_IOMMU) + cell(0) + cell(9)
"""iommu-map: requester id, IOMMU, its first id, number; of all functions, and of 00.0 to 01.0."""


def text_of(tree: MadeTree) -> str:
    """The nodes that were made, a line each, for a failure's report."""
    roots: Sequence[Made] = (*([tree.reserved] if tree.reserved else []), *tree.devices,
                             *tree.functions)  # fmt: skip
    lines = [f"memreserve {base:#x} {size:#x}" for base, size in tree.reservations]
    lines += [f"chosen: {name} = [{value.hex(' ', 4)}]" for name, value in tree.chosen]
    lines += [f"#size-cells of the root: {tree.size_cells}"]
    lines += [f"{HOST}: {name} = [{value.hex(' ', 4)}]" for name, value in tree.host]
    lines += [f"{ENTROPY.node}: {name} = [{value.hex(' ', 4)}]" for name, value in tree.transport]
    for one in roots:
        lines += _lines(one, 0)
    return "\n".join(lines)


def _lines(made: Made, depth: int) -> list[str]:
    indent = "  " * depth
    said = "; ".join(_property(name, value) for name, value in made.properties)
    return [f"{indent}{made.name} {{ {said} }}",
            *(line for child in made.children for line in _lines(child, depth + 1))]  # fmt: skip


def _property(name: str, value: bytes) -> str:
    if not value:
        return name
    if name in ("compatible", "status", "device_type"):
        return f"{name} = {value.decode()!r}"
    return f"{name} = [{value.hex(' ', 4)}]"
