# SPDX-License-Identifier: Apache-2.0
"""docs/findings.md and the markers ``finding("name", ...)`` of the VM suite agree."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.base.paths import CHECKOUT
from harness.base.properties import PROPERTIES
from harness.jobs.fixes import read_fixes

SUITE = CHECKOUT / "harness" / "suite"
TEXT = (CHECKOUT / "docs" / "findings.md").read_text()

SEVERITIES = {"escape", "corruption", "denial of service", "misbehaviour"}
VERSION = r"\d+\.\d+(\.\d+)?"
STATUS = re.compile(
    rf"(seen on {VERSION}( and {VERSION})*, \d{{4}}-\d\d-\d\d"
    rf"|read in the source of {VERSION}( and {VERSION})*)(; .+)?"
)
FIELDS = ("kernels", "status", "severity", "who", "properties", "tests", "reproduce", "repair")

ENTRY = re.compile(r"^## (\S+)\n\n\*\*(.+)\*\*\n\n\| \| \|\n\|---\|---\|\n((?:\|.*\|\n)+)", re.M)
ROW = re.compile(r"^\| \[(\S+)\]\(#(\S+)\) \| (.+) \|$", re.M)
ALIAS = re.compile(r"^Alias: (\S+)", re.M)
TEST = re.compile(r"`(test_\w+\.py)(?:::(test_\w+))?")


@dataclass(frozen=True)
class Marker:
    """A ``finding(name, ...)`` in *file*; *test* is the function it decorates, if any."""

    name: str
    file: str
    test: str


def _markers() -> Iterator[Marker]:
    for path in sorted(SUITE.rglob("test_*.py")):
        tree = ast.parse(path.read_text())
        tests = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                if node.func.attr != "finding" or not isinstance(node.args[0], ast.Constant):
                    continue
                held = (one.name for one in tests if node in one.decorator_list)
                yield Marker(str(node.args[0].value), path.name, next(held, ""))


def _entries() -> dict[str, dict[str, str]]:
    rows = {name: table.splitlines() for name, _, table in ENTRY.findall(TEXT)}
    return {
        name: dict(line.strip("| ").split(" | ", maxsplit=1) for line in lines)
        for name, lines in rows.items()
    }


def _suite_file(name: str) -> Path:
    (path,) = SUITE.rglob(name)
    return path


MARKERS = tuple(_markers())
ENTRIES = _entries()
ROWS = {name: (anchor, *cells.split(" | ")) for name, anchor, cells in ROW.findall(TEXT)}


def test_every_marker_of_the_suite_has_an_entry() -> None:
    assert MARKERS
    assert {marker.name for marker in MARKERS} - ENTRIES.keys() == set()


def test_every_entry_has_a_row_in_the_table_and_every_row_an_entry() -> None:
    assert list(ROWS) == list(ENTRIES)


def test_no_alias_is_an_entry_or_a_marker() -> None:
    aliases = set(ALIAS.findall(TEXT))

    assert aliases.isdisjoint(ENTRIES)
    assert aliases.isdisjoint(marker.name for marker in MARKERS)


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_says_what_its_row_says(name: str) -> None:
    entry = ENTRIES[name]
    none = entry["properties"].startswith("none: ")
    ids = [] if none else re.findall(r"(?:^|; )([A-G]\d+) \(", entry["properties"])

    assert tuple(entry) == FIELDS
    listed = "none" if none else ", ".join(ids)
    anchor = name.replace(".", "")
    repair = entry["repair"]
    named = ", ".join(re.findall(r"\[([\d.]+)\]", repair)) or repair.partition(":")[0]
    told = (entry["severity"], entry["kernels"], listed, entry["status"], named)
    assert ROWS[name] == (anchor, *told)
    assert none or entry["properties"] == "; ".join(f"{one} ({PROPERTIES[one]})" for one in ids)


@pytest.mark.parametrize("name", ENTRIES)
def test_status_and_severity_are_of_the_allowed_ones(name: str) -> None:
    entry = ENTRIES[name]

    assert set(entry["severity"].split(", ")) <= SEVERITIES
    assert STATUS.fullmatch(entry["status"]), entry["status"]


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_names_its_tests_or_says_why_it_has_none(name: str) -> None:
    stated = ENTRIES[name]["tests"]
    named = TEST.findall(stated)
    marked = {(marker.file, marker.test) for marker in MARKERS if marker.name == name}

    assert named or stated.startswith("none: ")
    for file, test in named:
        assert any(file == one for one, _ in marked), f"{file} has no marker of {name}"
        assert f"def {test}" in _suite_file(file).read_text()


@pytest.mark.parametrize(
    "name", [name for name, one in ENTRIES.items() if one["severity"] in ("escape", "corruption")]
)
def test_an_entry_of_a_vulnerability_says_what_a_fence_does(name: str) -> None:
    assert "fence" in ENTRIES[name]["who"]


def test_the_repairs_are_those_of_docs_fixes() -> None:
    fixes = read_fixes()
    made = {
        one.finding: ", ".join(f"[{v}](fixes/{one.finding}/{v}.patch)" for v in one.patches)
        for one in fixes.fixes
    }
    upstream = {name: f"upstream: {commit}" for name, commit in fixes.upstream.items()}

    assert {name: entry["repair"] for name, entry in ENTRIES.items()} == {**made, **upstream}


def test_every_mentioned_finding_exists() -> None:
    mentioned = set(re.findall(r"[sS]ee (?:also )?((?:6\.1-)?[a-z]+(?:-[a-z]+){2,})", TEXT))

    assert mentioned <= ENTRIES.keys()
