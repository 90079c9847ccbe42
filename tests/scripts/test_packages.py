# SPDX-License-Identifier: Apache-2.0
"""scripts/packages.txt names the package of every program that the harness runs."""

import ast
from collections.abc import Iterator

import pytest

from harness.base.paths import CHECKOUT
from harness.base.tools import PACKAGE_LIST, PACKAGES, is_present

RUNNERS = {"find_tool", "run_tool"}

OPTIONAL = {"b4"}
"""Programs that are used where they are, and else what they would have done is asked for."""


def _programs() -> Iterator[str]:
    """The names that are written out where the harness finds or runs a program."""
    for path in (CHECKOUT / "harness").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in RUNNERS:
                first = node.args[0]
                word = first.elts[0] if isinstance(first, ast.List | ast.Tuple) else first
                if isinstance(word, ast.Constant):
                    yield str(word.value)


def test_every_program_that_is_run_has_its_package_in_the_list() -> None:
    missing = set(_programs()) - set(PACKAGES) - OPTIONAL

    assert missing == set()


@pytest.mark.parametrize("name", ["packages.txt", "packages-tests.txt"])
def test_every_line_is_one_thing_and_its_package(name: str) -> None:
    lines = PACKAGE_LIST.with_name(name).read_text().splitlines()

    odd = [line for line in lines if line and line[0] != "#" and len(line.split()) != 2]
    assert odd == []


@pytest.mark.parametrize(
    ("needed", "present"),
    [("sh", True), ("no-such-program", False), ("/dev/null", True), ("/no/such/file", False)],
)
def test_programs_are_looked_for_in_the_path_and_files_where_they_lie(
    needed: str, present: bool
) -> None:
    assert is_present(needed) is present
