# SPDX-License-Identifier: Apache-2.0
"""Blobs are read as other readers read them, and damaged ones end in an error with an offset."""

import random
import struct
from collections.abc import Callable

import pytest
from devicetree_blobs import machine
from lint_boards import board_files

from harness.base.errors import DevicetreeError
from harness.machine.devicetree.board import Loader
from harness.machine.devicetree.flat import DEEPEST, MOST, FlatTree, read_blob
from harness.machine.devicetree.lint import judge
from harness.machine.devicetree.model import Environment, KernelVersion
from harness.machine.devicetree.tree import Tree

MUTATIONS = 2000
KERNELS = tuple(map(KernelVersion, ("6.1", "6.12", "7.3")))
BEGIN, END_NODE, END = b"\0\0\0\1", b"\0\0\0\2", b"\0\0\0\x09"


def blob(structure: bytes, *, size: int = 0, version: int = 17) -> bytes:
    """A blob of a structure block, with no reservation and the string ``reg``."""
    strings = b"reg\0"
    total = 56 + len(structure) + len(strings)
    header = struct.pack(
        ">10I", 0xD00DFEED, size or total, 56, 56 + len(structure), 40, version, 16, 0,
        len(strings), len(structure),
    )  # fmt: skip
    return header + bytes(16) + structure + strings


def test_a_blob_is_read_as_the_other_reader_reads_it() -> None:
    data = machine()

    tree, other = read_blob(data), Tree(data)
    mine = {node.path: node.properties for node in tree.root.below()}
    theirs = {
        node.path: {name: node.raw(name) for name in node.properties()} for node in other.nodes()
    }
    assert mine == theirs
    assert list(tree.reservations) == other.reservations


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "not a devicetree blob: 0 bytes"),
        (bytes(100), "at offset 0x0: the magic number is 0x0"),
        (blob(BEGIN + bytes(4) + END_NODE + END)[:-8], "at offset 0x4: .* truncated"),
        (blob(BEGIN + bytes(4) + END_NODE + END, size=MOST + 1), "at offset 0x4: .* not read"),
        (blob(BEGIN + bytes(4) + END_NODE + END, version=3), "at offset 0x14: version 3"),
        (blob(BEGIN + bytes(4) + END), "at offset 0x40: .* ends inside a node"),
        (blob(BEGIN + bytes(4)), "at offset 0x40: .* no end: truncated"),
        (blob(END_NODE), "at offset 0x38: a node ends that did not begin"),
        (blob(b"\0\0\0\x05"), "at offset 0x38: 0x5 is not a token"),
        (blob(BEGIN + bytes(4) + b"\0\0\0\3\0\0\0\4\0\0\1\0" + bytes(4)), "0x100 in the strings"),
        (blob(BEGIN + bytes(4) + b"\0\0\0\3\x10\0\0\0" + bytes(8)), "does not fit into the blob"),
        (blob((BEGIN + b"a\0\0\0") * (DEEPEST + 1)), f"nested more than {DEEPEST} deep"),
        (blob((BEGIN + bytes(4) + END_NODE) * 2), "a second root node"),
    ],
)
def test_a_damaged_blob_is_an_error_with_an_offset(data: bytes, said: str) -> None:
    with pytest.raises(DevicetreeError, match=said):
        read_blob(data)


def test_a_name_cannot_write_to_the_terminal() -> None:
    tree = read_blob(blob(BEGIN + bytes(4) + BEGIN + b"\x1b[2J\xff\0\0\0" + END_NODE * 2 + END))

    assert tree.root.children[0].path == r"/\x1b[2J\xff"


def test_of_properties_with_one_name_the_first_counts() -> None:
    one = b"\0\0\0\3\0\0\0\4\0\0\0\0"
    tree = read_blob(
        blob(BEGIN + bytes(4) + one + b"\0\0\0\1" + one + b"\0\0\0\2" + END_NODE + END)
    )

    assert tree.root.cells("reg") == (1,)


def test_damaged_blobs_never_crash_the_lint(mutated: Callable[[int], bytes]) -> None:
    read = 0
    for seed in range(MUTATIONS):
        try:
            tree: FlatTree = read_blob(mutated(seed))
        except DevicetreeError:
            continue
        read += 1
        for kernel in KERNELS:
            judge(tree, kernel, Environment())
    assert read > MUTATIONS / 4, "most mutations must reach the model"


@pytest.fixture(scope="module")
def mutated() -> Callable[[int], bytes]:
    """Mutations of a board by their seed."""
    boards = [Loader().load(str(path)).blob for path in board_files()]

    def mutate(seed: int) -> bytes:
        rng = random.Random(seed)
        data = bytearray(rng.choice(boards))
        begin = struct.unpack_from(">I", data, 8)[0]
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(0 if rng.random() < 0.1 else begin, len(data))
            if rng.random() < 0.5:
                data[at] = rng.choice((0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256)))
            else:
                word = rng.choice((0, 1, 2, 3, 4, 9, 0xFFFFFFFF, 1 << 31, rng.randrange(1 << 32)))
                struct.pack_into(">I", data, min(at & ~3, len(data) - 4), word)
        return bytes(data)

    return mutate
