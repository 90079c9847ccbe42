# SPDX-License-Identifier: Apache-2.0
"""Read a flattened devicetree as the kernel does: fast, and safe with any bytes.

::

    read_blob(data) ─► FlatTree: root, nodes by phandle, /memreserve/ entries

``tree.py`` changes trees and builds on the ``fdt`` package; this module only reads, takes about
10 ms for a board of 100 KiB, and refuses what libfdt would refuse (Devicetree Specification 0.4,
chapter 5), with the offset of the first wrong byte.
"""

import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from struct import Struct

from harness.base.errors import DevicetreeError

MAGIC = 0xD00DFEED
CELL = 4
MOST = 8 << 20
"""Bytes of a blob that are read. A kernel for arm64 takes 2 MiB at most (asm/kernel-pgtable.h and
asm/fixmap.h, MAX_FDT_SIZE); the limit bounds time and memory for a hostile blob."""

DEEPEST = 512
"""Levels of nodes that are read; the kernel ignores those beyond FDT_MAX_DEPTH, 64."""

BEHIND = 32
"""Bytes after an empty ``reg`` that are kept: an address and a size of 4 cells each."""

OLDEST_VERSION, COMPATIBLE = 16, 17
"""Versions of the format with a size of the strings block (DTSpec 0.4, 5.2)."""

_HEADER = Struct(">10I")
_RESERVATION = Struct(">QQ")
_BEGIN_NODE, _END_NODE, _PROPERTY, _NOP, _END = 1, 2, 3, 4, 9


@dataclass(eq=False, slots=True)
class FlatNode:
    """A node: its name with unit address, properties as bytes, children in order.

    *offset* is the byte of the blob where the node begins. Of properties with the same name the
    first counts, as for libfdt and the kernel's live tree. *behind_reg* are the bytes after the
    value of a ``reg`` without one, where some kernels read on.
    """

    name: str
    parent: "FlatNode | None"
    offset: int
    properties: dict[str, bytes] = field(default_factory=dict)
    children: list["FlatNode"] = field(default_factory=list)
    behind_reg: bytes = b""

    @property
    def path(self) -> str:
        """The path from the root."""
        names: list[str] = []
        node: FlatNode | None = self
        while node is not None and node.parent is not None:
            names.append(node.name)
            node = node.parent
        return "/" + "/".join(reversed(names))

    def child(self, name: str) -> "FlatNode | None":
        """The first child of that name; as for libfdt a name without unit address matches any."""
        for node in self.children:
            if node.name == name or node.name.partition("@")[0] == name:
                return node
        return None

    def cells(self, name: str) -> tuple[int, ...]:
        """A property as 32-bit numbers, without an incomplete last one; () if absent."""
        data = self.properties.get(name, b"")
        return tuple(
            int.from_bytes(data[at : at + CELL]) for at in range(0, len(data) - CELL + 1, CELL)
        )

    def cell(self, name: str, default: int) -> int:
        """The first 32-bit number of a property; *default* if there is none."""
        data = self.properties.get(name, b"")
        return int.from_bytes(data[:CELL]) if len(data) >= CELL else default

    def strings(self, name: str) -> tuple[str, ...]:
        """A property as a list of strings; () if absent or empty."""
        data = self.properties.get(name)
        return tuple(map(_text, data.removesuffix(b"\0").split(b"\0"))) if data else ()

    def is_compatible(self, name: str) -> bool:
        """Whether one of the node's compatible strings is *name*; case does not matter.

        include/linux/of.h: of_compat_cmp() is strcasecmp().
        """
        return name in (one.lower() for one in self.strings("compatible"))

    def below(self) -> Iterator["FlatNode"]:
        """This node and all nodes below it, parents first, in the order of the blob."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(reversed(node.children))


@dataclass(frozen=True, eq=False)
class FlatTree:
    """A whole devicetree; *reservations* are base and size of each ``/memreserve/``.

    *size* is the ``totalsize`` of the blob in bytes.
    """

    root: FlatNode
    reservations: tuple[tuple[int, int], ...]
    size: int

    @cached_property
    def by_phandle(self) -> dict[int, FlatNode]:
        """The node of each phandle; of several the first in the order of the blob."""
        found: dict[int, FlatNode] = {}
        for node in self.root.below():
            for name in ("phandle", "linux,phandle"):
                if number := node.cell(name, 0):
                    found.setdefault(number, node)
                    break
        return found

    def find(self, path: str) -> FlatNode | None:
        """The node at *path*, where a name may lack its unit address; None if there is none."""
        node: FlatNode | None = self.root
        for name in filter(None, path.split("/")):
            node = node.child(name) if node else None
        return node


def read_blob(data: bytes) -> FlatTree:
    """Read the blob at the start of *data*; raises DevicetreeError with the offset of a fault."""
    size, structure, strings, reservations = _layout(data)
    return FlatTree(
        root=_read_nodes(data, structure, strings),
        reservations=_read_reservations(data[:size], reservations),
        size=size,
    )


def read_named(name: str, data: bytes) -> FlatTree:
    """Read the blob of file *name*; raises DevicetreeError with that name."""
    try:
        return read_blob(data)
    except DevicetreeError as fault:
        raise DevicetreeError(f"{name}: {fault}") from fault


def _layout(data: bytes) -> tuple[int, range, range, int]:
    """The size, the byte ranges of structure and strings, and the offset of the reservations."""
    if len(data) < _HEADER.size:
        raise DevicetreeError(
            f"not a devicetree blob: {len(data)} bytes, and the header alone has {_HEADER.size}"
        )
    header = _HEADER.unpack_from(data)
    magic, size, structure, strings, reservations, version, compatible, _, long, short = header
    if magic != MAGIC:
        raise _fault(0, f"the magic number is {magic:#x}; a devicetree blob begins with {MAGIC:#x}")
    if size > MOST:
        raise _fault(4, f"the blob is {size} bytes long; more than {MOST} are not read")
    if size > len(data):
        raise _fault(4, f"the blob is {size} bytes long, and only {len(data)} are there: truncated")
    if version < OLDEST_VERSION or compatible > COMPATIBLE:
        raise _fault(20, f"version {version}, compatible with {compatible}, is not understood")
    if version < COMPATIBLE:  # no size of the structure block before version 17
        short = size - structure if structure <= size else 0
    for offset, name, begin, length in (
        (8, "structure block", structure, short),
        (12, "strings block", strings, long),
    ):
        if begin < _HEADER.size or begin + length > size:
            raise _fault(offset, f"the {name} [{begin:#x}, {begin + length:#x}) is not in the blob")
    if structure % CELL:
        raise _fault(8, f"the structure block begins at {structure:#x}, not a multiple of {CELL}")
    return size, range(structure, structure + short), range(strings, strings + long), reservations


def _read_reservations(data: bytes, at: int) -> tuple[tuple[int, int], ...]:
    """The entries up to the first of no size, where the kernel stops (early_init_fdt_scan...)."""
    found: list[tuple[int, int]] = []
    while True:
        if at % 8 or at + _RESERVATION.size > len(data):
            raise _fault(at, "the memory reservation block has no end inside the blob")
        base, size = _RESERVATION.unpack_from(data, at)
        if not size:
            return tuple(found)
        found.append((base, size))
        at += _RESERVATION.size


def _read_nodes(data: bytes, structure: range, strings: range) -> FlatNode:
    reader = _Reader(data, structure, strings)
    count, words = len(reader.words), reader.words
    at = 0
    while at < count:
        token = words[at]
        if token == _PROPERTY:
            at = reader.take_property(at)
        elif token == _BEGIN_NODE:
            at = reader.begin_node(at)
        elif token == _END_NODE:
            at = reader.end_node(at)
        elif token == _NOP:
            at += 1
        elif token == _END:
            return reader.end(at)
        else:
            raise reader.fault(at, f"{token:#x} is not a token of a devicetree")
    raise reader.fault(count, "the structure block has no end: truncated")


class _Reader:
    """The structure block as 32-bit words, and the node that is open."""

    def __init__(self, data: bytes, structure: range, strings: range) -> None:
        self.data, self.strings, self.start = data, strings, structure.start
        self.words = array("I", data[structure.start : structure.stop // CELL * CELL])
        if sys.byteorder == "little":
            self.words.byteswap()
        self.stop = self.start + len(self.words) * CELL
        self.names: dict[int, str] = {}
        self.root: FlatNode | None = None
        self.node: FlatNode | None = None
        self.depth = 0

    def take_property(self, at: int) -> int:
        if self.node is None or at + 3 > len(self.words):
            raise self.fault(at, "a property outside a node, or cut off")
        length, name_at = self.words[at + 1], self.words[at + 2]
        value = self.start + (at + 3) * CELL
        if value + length > self.stop:
            raise self.fault(at, f"a property of {length} bytes does not fit into the blob")
        name = self.names.get(name_at)
        if name is None:
            self.names[name_at] = name = self._property_name(at, name_at)
        if name not in self.node.properties:
            self.node.properties[name] = self.data[value : value + length]
            if not length and name == "reg":
                self.node.behind_reg = self.data[value : value + BEHIND]
        return at + 3 + (length + CELL - 1) // CELL

    def begin_node(self, at: int) -> int:
        here = self.start + at * CELL
        stop = self.data.find(b"\0", here + CELL, self.stop)
        if stop < 0:
            raise self.fault(at, "the name of a node has no end")
        if self.depth == DEEPEST:
            raise self.fault(at, f"nodes are nested more than {DEEPEST} deep")
        if self.node is None and self.root is not None:
            raise self.fault(at, "a second root node")
        child = FlatNode(_text(self.data[here + CELL : stop]), self.node, here)
        if self.node is None:
            self.root = child
        else:
            self.node.children.append(child)
        self.node, self.depth = child, self.depth + 1
        return (stop - self.start) // CELL + 1

    def end_node(self, at: int) -> int:
        if self.node is None:
            raise self.fault(at, "a node ends that did not begin")
        self.node, self.depth = self.node.parent, self.depth - 1
        return at + 1

    def end(self, at: int) -> FlatNode:
        if self.node is not None or self.root is None:
            raise self.fault(at, "the structure block ends inside a node, or has none")
        return self.root

    def fault(self, at: int, what: str) -> DevicetreeError:
        return _fault(self.start + at * CELL, what)

    def _property_name(self, at: int, offset: int) -> str:
        begin = self.strings.start + offset
        end = self.strings.stop
        stop = self.data.find(b"\0", begin, end) if begin < end else -1
        if stop < 0:
            raise self.fault(at, f"a property's name, {offset:#x} in the strings, is not there")
        return _text(self.data[begin:stop])


def _text(raw: bytes) -> str:
    """*raw* as text that is safe to print."""
    text = raw.decode("latin-1")
    if text.isascii() and text.isprintable():
        return text
    return text.encode("unicode_escape").decode()


def _fault(offset: int, what: str) -> DevicetreeError:
    return DevicetreeError(f"not a valid devicetree blob: at offset {offset:#x}: {what}")
