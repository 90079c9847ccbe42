# SPDX-License-Identifier: Apache-2.0
"""The lint finds in each devicetree of tests/boards what its comments say."""

from pathlib import Path

import pytest
from lint_boards import KERNELS, board_files, comments, found, wanted

from harness.base.paths import CHECKOUT
from harness.machine.devicetree.model import RULES

WITHOUT_BOARD = {"blob-too-large", "inherit-unless-usable"}
"""A rule that needs 2 MiB, and the other half of empty-region-hides."""


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
