# SPDX-License-Identifier: Apache-2.0
"""The lint finds in each devicetree of tests/boards what its comments say."""

from pathlib import Path

import pytest
from lint_boards import BOARDS, KERNELS, board_files, comments, found, wanted

from harness.base.paths import CHECKOUT
from harness.machine.devicetree.model import RULES

WITHOUT_BOARD = {
    *("blob-too-large", "inherit-unless-usable", "several-entries", "disabled-function"),
    *("attached-twice", "expected"),
}
"""Rules that need 2 MiB or --expect, and those that decide what another rule is said of."""


@pytest.mark.parametrize("path", board_files(), ids=lambda path: path.stem)
def test_the_lint_finds_what_the_comments_say(path: Path, pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--rewrite-logs"):
        text = path.read_text()
        head, tail = text.split("/dts-v1/;", 1)
        kept = [line for line in head.splitlines() if not line.startswith(("// lint", "//   "))]
        path.write_text("\n".join(kept) + "\n" + comments(path) + "/dts-v1/;" + tail)
    said = wanted(path)

    assert set(said) == set(KERNELS)
    for kernel in KERNELS:
        assert found(path, kernel) == said[kernel], f"on Linux {kernel}"


def test_the_finding_of_a_rule_exists() -> None:
    text = (CHECKOUT / "docs" / "findings.md").read_text()

    missing = {one.finding for one in RULES.values() if f"\n## {one.finding}\n" not in text}
    assert missing == {""}


def test_each_rule_has_a_board_that_triggers_it() -> None:
    text = "".join(path.read_text() for path in board_files())

    assert {rule for rule in RULES if f"[{rule}]" not in text} == WITHOUT_BOARD


@pytest.mark.parametrize(
    ("kernel", "outcome", "rule"),
    [
        ("6.18", "restricted", "first-entry-only"),
        ("6.19", "unrestricted", "several-entries"),
        ("7.1", "unrestricted", "several-entries"),
        ("7.2", "restricted", "first-entry-only"),
    ],
)
def test_a_pool_of_several_entries_was_no_region_for_a_while(
    kernel: str, outcome: str, rule: str
) -> None:
    said = found(BOARDS / "nodes.dts", kernel).lines

    assert any(line.startswith(f"/mmc@10090000: {outcome} ") for line in said)
    assert any(line.endswith(f"/reserved-memory/two@56000000 [{rule}]") for line in said)
