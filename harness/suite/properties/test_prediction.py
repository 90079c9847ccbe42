# SPDX-License-Identifier: Apache-2.0
"""Properties A1 to A8, E9 to E12: the lint predicts what the kernel makes of a devicetree.

A difference is a mistake of the model (harness/machine/devicetree/model) or a finding.
"""

import pytest

from harness.machine.binary import Qemu
from harness.machine.devicetree import base_blob
from harness.machine.machine import Machine, board_arguments
from harness.observe.memory import KnownTypes
from harness.plugin.guests import Guests
from harness.suite.lib.expect import equal
from harness.suite.lib.lint_check import TreeChecker, check_trees
from harness.suite.lib.lint_trees import KNOWN_TREES
from harness.suite.lib.tiers import in_default_tier

START = 20_261_128
"""The seed of the devicetrees, unless ``--hypothesis-seed`` gives another."""

EXAMPLES = 8
"""Devicetrees of one test. Hypothesis makes similar ones from one seed, so there are many seeds."""

CHECKED = ("A1", "A2", "A3", "A5", "A7", "A8", "E9", "E10", "E11", "E12")


@pytest.fixture
def checker(guests: Guests, machine: Machine, qemu: Qemu, known_types: KnownTypes) -> TreeChecker:
    """Boots the kernel on devicetrees and compares."""
    base = base_blob(qemu.path, board_arguments(machine.cpus, machine.ram_size))
    return TreeChecker(guests, machine, base, known_types)


@pytest.mark.property(*CHECKED)
@pytest.mark.parametrize("number", in_default_tier(range(40), "0", "1", "2"))
def test_the_lint_predicts_what_the_kernel_makes_of_any_devicetree(
    checker: TreeChecker, number: int, pytestconfig: pytest.Config
) -> None:
    """Regions, pools, devices and the log are what the lint predicts, with memory used up too."""
    start = int(pytestconfig.getoption("--hypothesis-seed") or START)
    check_trees(checker, start + number, EXAMPLES)


@pytest.mark.property(*CHECKED)
@pytest.mark.nightly("some of the guests are waited for until they count as hung")
@pytest.mark.parametrize("name", KNOWN_TREES)
def test_the_lint_predicts_what_the_kernel_does_wrong(checker: TreeChecker, name: str) -> None:
    """A devicetree that the kernel mishandles is mishandled as the lint predicts."""
    made, rule = KNOWN_TREES[name]

    got = checker.check(made)

    equal(got.differences, (), "what the kernel did otherwise")
    if rule.holds(got.prediction.kernel):
        named = {one.rule.name for one in got.faults}
        equal(rule.name in named, True, f"whether the lint names {rule.name}")
