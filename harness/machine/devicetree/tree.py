# SPDX-License-Identifier: Apache-2.0
"""A devicetree blob as a tree to read and change, with the ``fdt`` package.

The package is not maintained and guesses the type of a property from its bytes, so everything
here reads properties as bytes and decodes them itself.
"""

from collections.abc import Iterator

import fdt

from harness.base.errors import DevicetreeError

CELL = 4
"""Bytes in a cell, always big-endian (Devicetree Specification 0.4, 2.2.4)."""

PROPERTY_HEADER = 12
"""Bytes of a property in the blob before its value: token, length, name (DTSpec 0.4, 5.4.1)."""


class Node:
    """One node of a tree; changes apply to the tree."""

    def __init__(self, path: str, node: fdt.Node) -> None:
        self.path = path
        self._node = node

    @property
    def name(self) -> str:
        """The name with the unit address."""
        return str(self._node.name)

    def children(self) -> Iterator["Node"]:
        """The nodes directly below this one."""
        for child in self._node.nodes:
            yield Node(f"{self.path.rstrip('/')}/{child.name}", child)

    def properties(self) -> tuple[str, ...]:
        """The names of all properties."""
        return tuple(item.name for item in self._node.props)

    def raw(self, name: str) -> bytes | None:
        """The bytes of a property; None if the node has no such property."""
        found = self._node.get_property(name)
        if found is None:
            return None
        blob: bytes = found.to_dtb("")[0]
        size = int.from_bytes(blob[CELL : 2 * CELL], "big")
        return blob[PROPERTY_HEADER : PROPERTY_HEADER + size]

    def cells(self, name: str, width: int = 1) -> tuple[int, ...]:
        """A property as numbers of *width* cells each, without an incomplete last one."""
        data, step = self.raw(name) or b"", width * CELL
        whole = range(0, len(data) - step + 1, step)
        return tuple(int.from_bytes(data[at : at + step], "big") for at in whole)

    def strings(self, name: str) -> tuple[str, ...]:
        """A property as a list of strings; () if absent."""
        data = self.raw(name) or b""
        return tuple(word.decode(errors="replace") for word in data.split(b"\0") if word)

    def number(self, name: str, default: int) -> int:
        """A property of any number of cells as one integer; *default* if absent."""
        data = self.raw(name)
        return default if data is None else int.from_bytes(data, "big")

    def set_bytes(self, name: str, data: bytes) -> None:
        """Give a property a value."""
        self._node.set_property(name, data)

    def remove(self, name: str) -> None:
        """Remove a property, if it is there."""
        self._node.remove_property(name)

    def remove_child(self, name: str) -> None:
        """Remove a node directly below, if it is there."""
        self._node.remove_subnode(name)

    def rename(self, name: str) -> None:
        """Give the node another name; raises DevicetreeError if a sibling has it."""
        if name == self.name:
            return
        if self._node.parent.exist_subnode(name):
            raise DevicetreeError(
                f"{self.path} cannot be renamed to {name}: a sibling has that name. "
                "Choose another base for one of the two."
            )
        self._node.set_name(name)
        self.path = f"{self.path.rpartition('/')[0]}/{name}"


class Tree:
    """A whole devicetree."""

    def __init__(self, blob: bytes) -> None:
        # fdt.FDT's list of memory reservations is a default argument, the same for all trees.
        shared = fdt.FDT().entries
        shared.clear()
        self._tree = fdt.parse_dtb(blob)
        self._tree.entries = list(shared)

    @property
    def root(self) -> Node:
        """The node ``/``."""
        return Node("/", self._tree.root)

    @property
    def reservations(self) -> list[tuple[int, int]]:
        """Base and size of each entry of the memory reservation block (DTSpec 0.4, 5.3)."""
        return [(entry["address"], entry["size"]) for entry in self._tree.entries]

    def nodes(self) -> Iterator[Node]:
        """Every node, parents first."""
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(node.children())

    def find(self, path: str) -> Node | None:
        """The node at *path*; None if there is none."""
        return next((node for node in self.nodes() if node.path == path), None)

    def blob(self) -> bytes:
        """The tree as a flattened blob without padding."""
        return bytes(self._tree.to_dtb())
