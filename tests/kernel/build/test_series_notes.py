# SPDX-License-Identifier: Apache-2.0
"""A judgement says which lines of the series no test could reach, and what would compile them."""

from dataclasses import replace
from pathlib import Path

import pytest
from kernel_trees import tiny_tree

from harness.kernel import Kernel, KernelSpec
from harness.kernel.build.flavours import needed_flavour
from harness.kernel.build.series_notes import new_warnings, series_notes
from harness.kernel.patches.reach import ChangedLine, Reach

FILE = "kernel/dma/swiotlb.c"


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """A kernel with SWIOTLB and without SWIOTLB_DYNAMIC."""
    (tmp_path / "config").write_text("CONFIG_SWIOTLB=y\nCONFIG_NEW=y\n")
    return Kernel("key", tmp_path, "6.12.3", "c0ffee", "a tree", (), "gcc")


def lines(*needs: str) -> tuple[ChangedLine, ...]:
    """A changed line for each of *needs*, options with blanks between them."""
    return tuple(ChangedLine(FILE, "int used;", frozenset(one.split())) for one in needs)


def warning(line: int, text: str) -> str:
    return f"{FILE}:{line}:5: warning: {text}"


def test_a_warning_that_only_moved_is_not_new(kernel: Kernel) -> None:
    before = replace(kernel, warnings=(warning(3, "a"),))
    after = replace(kernel, warnings=(warning(9, "a"), warning(4, "b")))

    assert new_warnings(before, after) == (warning(4, "b"),)


def test_an_option_that_is_added_is_on_or_off_with_a_remedy(kernel: Kernel) -> None:
    reach = Reach(lines("NEW", "LATER", "LATER"), options=("NEW", "LATER"))

    on, off = series_notes(reach, kernel)

    assert on == "It adds CONFIG_NEW, which is on in this kernel."
    assert "CONFIG_LATER, which is off" in off
    assert "never ran. --kernel-config=FILE with CONFIG_LATER=y in FILE turns it on." in off


def test_lines_that_are_not_compiled_are_counted(kernel: Kernel) -> None:
    (note,) = series_notes(Reach(lines("SWIOTLB", "SWIOTLB_DYNAMIC", "!SWIOTLB")), kernel)

    assert note.startswith("2 of the 3 changed lines are not compiled: ")
    assert "CONFIG_SWIOTLB_DYNAMIC is off" in note
    assert "CONFIG_SWIOTLB is on" in note


def test_the_flavour_that_compiles_all_of_it_is_suggested(kernel: Kernel) -> None:
    (note,) = series_notes(Reach(lines("SWIOTLB SWIOTLB_DYNAMIC")), kernel, "dynamic")

    assert note == (
        "None of the 1 changed lines is compiled: CONFIG_SWIOTLB_DYNAMIC is off. "
        "--flavour=dynamic compiles them (--flavour=auto takes it)."
    )


@pytest.mark.parametrize(
    ("needs", "flavour"),
    [
        (["SWIOTLB SWIOTLB_DYNAMIC", "SWIOTLB_DYNAMIC"], "dynamic"),
        (["SWIOTLB_DYNAMIC", "SWIOTLB"], ""),
        (["SWIOTLB_DYNAMIC", "KCSAN"], ""),
        (["UNKNOWN"], ""),
        ([], ""),
    ],
)
def test_a_flavour_is_needed_if_no_line_is_compiled_without_it(
    tmp_path: Path, needs: list[str], flavour: str
) -> None:
    spec = KernelSpec(str(tiny_tree(tmp_path / "linux")))

    assert needed_flavour(spec, Reach(lines(*needs))) == flavour
