# SPDX-License-Identifier: Apache-2.0
"""scripts/packages.txt names the package of every program that the harness runs."""

import ast
from collections.abc import Iterator

import pytest

from harness.base.paths import CHECKOUT
from harness.base.tools import PACKAGE_LIST, PACKAGES, is_present

RUNNERS = {
    *("find_tool", "run_tool"),
    *("subprocess.run", "subprocess.Popen", "pexpect.run", "pexpect.spawn"),
}

OPTIONAL = {"systemd-analyze"}
"""Programs that are used where they are, and else what they would have done is asked for."""


ESSENTIAL = {"bash", "cat", "cp", "du", "flock", "rm", "sh"}
"""Programs of packages that every Debian has (Essential: yes)."""


def _programs(*folders: str) -> Iterator[str]:
    """The names that are written out where the files of *folders* find or run a program."""
    for path in (file for folder in folders for file in (CHECKOUT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and node.args and _name(node.func) in RUNNERS:
                first = node.args[0]
                word = first.elts[0] if isinstance(first, ast.List | ast.Tuple) else first
                if isinstance(word, ast.Constant):
                    yield str(word.value).partition(" ")[0]


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return f"{getattr(function.value, 'id', '')}.{function.attr}"
    return getattr(function, "id", "")


def test_every_program_that_is_run_has_its_package_in_the_list() -> None:
    missing = set(_programs("harness")) - set(PACKAGES) - OPTIONAL - ESSENTIAL

    assert missing == set()


def test_every_program_that_a_test_runs_has_its_package_in_a_list() -> None:
    lines = PACKAGE_LIST.with_name("packages-tests.txt").read_text().splitlines()
    packed = set(PACKAGES) | {line.split()[0] for line in lines if line and line[0] != "#"}

    missing = set(_programs("tests")) - packed - OPTIONAL - ESSENTIAL

    assert missing == set()


@pytest.mark.parametrize("name", ["packages.txt", "packages-cross.txt", "packages-tests.txt"])
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
