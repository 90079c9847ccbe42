# SPDX-License-Identifier: Apache-2.0
"""Reading and writing blobs: the places where the fdt package would go wrong."""

from devicetree_blobs import MACHINE, compiled, decompiled

from harness.machine.devicetree.tree import Node, Tree

TRICKY = '/dts-v1/; / { n { cells = <0x41424300>; empty; odd = [01 02 03]; text = "a", "b"; }; };'


def _node(tree: Tree, path: str) -> Node:
    node = tree.find(path)
    assert node is not None
    return node


def test_cells_that_look_like_text_are_still_cells() -> None:
    node = _node(Tree(compiled(TRICKY)), "/n")

    assert node.cells("cells") == (0x41424300,)


def test_every_kind_of_property_keeps_its_bytes_through_a_round_trip() -> None:
    tree = Tree(Tree(compiled(TRICKY)).blob())

    node = _node(tree, "/n")
    values = [node.raw(name) for name in ("cells", "empty", "odd", "text", "absent")]
    assert values == [b"ABC\0", b"", b"\1\2\3", b"a\0b\0", None]


def test_memory_reservations_survive_and_do_not_leak_into_the_next_tree() -> None:
    first = Tree(compiled(MACHINE))
    second = Tree(compiled(TRICKY))
    again = Tree(first.blob())

    found = [tree.reservations for tree in (first, second, again)]
    assert found == [[(0x40000000, 0x1000)], [], [(0x40000000, 0x1000)]]


def test_numbers_may_take_two_cells() -> None:
    tree = Tree(compiled("/dts-v1/; / { n { size = <0x1 0x10>; }; };"))

    assert _node(tree, "/n").number("size", 0) == 0x1_0000_0010


def test_dtc_reads_what_is_written() -> None:
    original = compiled(MACHINE)

    assert decompiled(Tree(original).blob()) == decompiled(original)
