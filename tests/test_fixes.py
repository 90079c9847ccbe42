# SPDX-License-Identifier: Apache-2.0
"""docs/fixes has a repair of each finding, in the form in which one sends it."""

import re
from pathlib import Path

import pytest

from harness.base.errors import InputError
from harness.base.paths import CHECKOUT
from harness.jobs.fixes import read_fixes
from harness.jobs.fixes.fix import FIXES

ALL = read_fixes()

PATCHES = sorted(FIXES.glob("*/*.patch"))

FINDINGS = re.findall(
    r"^## (\S+)\n\n\*\*", (CHECKOUT / "docs/findings.md").read_text(), re.MULTILINE
)

TAG = re.compile(r'Fixes: [0-9a-f]{12} \(".+"\)')


def test_every_finding_is_repaired_here_or_upstream() -> None:
    repaired = {one.finding for one in ALL.fixes} | set(ALL.upstream)

    assert set(FINDINGS) <= repaired


def test_every_patch_belongs_to_a_repair() -> None:
    used = {path for one in ALL.fixes for path in one.patches.values()}

    assert used == set(PATCHES)
    assert all(one.patches for one in ALL.fixes)


def test_a_repair_comes_after_those_that_it_needs() -> None:
    order = [one.finding for one in ALL.fixes]

    for fix in ALL.fixes:
        for before in fix.needs:
            assert order.index(before.finding) < order.index(fix.finding)
            assert before.patches.keys() >= fix.patches.keys()


@pytest.mark.parametrize("path", PATCHES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_patch_is_one_as_one_would_send_it(path: Path) -> None:
    head, _, diff = path.read_text().partition("\n---\n")
    subject = re.search(r"^Subject: \[PATCH\] (\S.*(?:\n \S.*)*)", head, re.MULTILINE)
    body = head.partition("\n\n")[2].splitlines()

    assert subject
    assert re.match(r"[a-z_\-: ]+: \S", subject[1])
    assert all(len(line) <= 75 or TAG.fullmatch(line) for line in body)
    assert all(TAG.fullmatch(line) for line in body if line.startswith("Fixes:"))
    assert "Signed-off-by" not in head
    assert re.search(r"^diff --git a/(\S+) b/\1$", diff, re.MULTILINE)


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"there is no repair of 'nope'\. Expected one of: odd-"):
        ALL.named(["nope"])
    with pytest.raises(InputError, match=r"6\.1-page-order is repaired upstream by cbf53074a528"):
        ALL.named(["6.1-page-order"])
