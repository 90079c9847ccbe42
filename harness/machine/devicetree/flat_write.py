# SPDX-License-Identifier: Apache-2.0
"""Write a tree as a flattened blob, whatever its names and properties (DTSpec 0.4, chapter 5)."""

from collections.abc import Sequence
from struct import Struct

from harness.machine.devicetree.flat import COMPATIBLE, MAGIC, OLDEST_VERSION, FlatNode

_HEADER = Struct(">10I")
_PROPERTY = Struct(">3I")
_RESERVATION = Struct(">QQ")
_BEGIN_NODE, _END_NODE, _END = b"\0\0\0\1", b"\0\0\0\2", b"\0\0\0\x09"


def write_blob(root: FlatNode, reservations: Sequence[tuple[int, int]] = ()) -> bytes:
    """The blob of a tree, version 17, with *reservations* as ``/memreserve/``."""
    names: dict[str, int] = {}  # offset of each property's name in the strings
    strings = bytearray()
    structure = bytearray()
    _write_node(root, structure, strings, names)
    structure += _END
    entries = b"".join(_RESERVATION.pack(*one) for one in (*reservations, (0, 0)))
    start = _HEADER.size + len(entries)
    header = _HEADER.pack(
        *(MAGIC, start + len(structure) + len(strings)),
        *(start, start + len(structure), _HEADER.size),
        *(COMPATIBLE, OLDEST_VERSION, 0, len(strings), len(structure)),
    )
    return header + entries + bytes(structure + strings)


def _write_node(
    node: FlatNode, structure: bytearray, strings: bytearray, names: dict[str, int]
) -> None:
    structure += _BEGIN_NODE + _padded(node.name.encode() + b"\0")
    for name, value in node.properties.items():
        if name not in names:
            names[name] = len(strings)
            strings += name.encode() + b"\0"
        structure += _PROPERTY.pack(3, len(value), names[name]) + _padded(value)
    for child in node.children:
        _write_node(child, structure, strings, names)
    structure += _END_NODE


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
