# SPDX-License-Identifier: Apache-2.0
"""Properties A1 to A8, E9 to E12: the lint predicts what the kernel makes of a devicetree.

A difference is a mistake of the model (harness/machine/devicetree/model) or a finding.
"""

import re

import pytest

from harness.jobs.board import DIFFERS
from harness.machine.binary import Qemu
from harness.machine.devicetree import base_blob
from harness.machine.devicetree.model import RULES
from harness.machine.devicetree.overlay import OVERLAYS
from harness.machine.machine import Machine, board_arguments
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KnownTypes
from harness.plugin.guests import Guests
from harness.suite.lib.attached import assigned, log
from harness.suite.lib.expect import equal, logged
from harness.suite.lib.expect.wording import violation_of
from harness.suite.lib.lint_check import TreeChecker, check_guest, check_trees
from harness.suite.lib.lint_known_trees import KNOWN_TREES, MENDED_TREES, RULE_TREES
from harness.suite.lib.lint_trees import MadeTree
from harness.suite.lib.tiers import in_default_tier

START = 20_261_128
"""The seed of the devicetrees, unless ``--hypothesis-seed`` gives another."""

EXAMPLES = 8
"""Devicetrees of one test. Hypothesis makes similar ones from one seed, so there are many seeds."""

SHAPES = sorted(str(one.relative_to(OVERLAYS).with_suffix("")) for one in OVERLAYS.rglob("pool-*"))
"""The shapes of dts/ with pools."""

REPORTED = {"too-large": "__alloc_(frozen_)?pages", "coherent-mapped": "memremap"}
"""Rules by which the kernel prints a report beside its message: a function in the title of it.

mm/page_alloc.c: __alloc_pages_noprof() is __alloc_frozen_pages_noprof() since 6.14.
"""

DISK = pytest.mark.needs("the disk and entropy of the transports", qemu="virtio-blk-device")

WRONG = pytest.mark.nightly("known findings, with devicetrees that are wrong")

CREATED = r"created restricted DMA pool at (0x[0-9a-f]+)"

CHECKED = ("A1", "A2", "A3", "A5", "A7", "A8", "E9", "E10", "E11", "E12")


@pytest.fixture
def checker(guests: Guests, machine: Machine, qemu: Qemu, known_types: KnownTypes) -> TreeChecker:
    """Boots the kernel on devicetrees and compares."""
    base = base_blob(qemu.path, board_arguments(machine.cpus, machine.ram_size))
    return TreeChecker(guests, machine, base, known_types)


@pytest.mark.property(*CHECKED)
@DISK
@pytest.mark.parametrize("number", in_default_tier(range(40), "0"))
def test_the_lint_predicts_what_the_kernel_makes_of_any_devicetree(
    checker: TreeChecker, number: int, pytestconfig: pytest.Config
) -> None:
    """Regions, pools, devices and the log are what the lint predicts, with memory used up too."""
    start = int(pytestconfig.getoption("--hypothesis-seed") or START)
    check_trees(checker, start + number, EXAMPLES)


@pytest.mark.property(*CHECKED)
@DISK
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


@pytest.mark.property(*CHECKED)
@DISK
@pytest.mark.parametrize("name", in_default_tier([*RULE_TREES], "bus-region"))
def test_the_lint_predicts_what_a_rule_says(checker: TreeChecker, name: str) -> None:
    """A devicetree for a rule of the lint is handled as predicted, and the lint names the rule."""
    rule = RULES[name]

    got = checker.check(RULE_TREES[name])

    equal(got.differences, (), "what the kernel did otherwise")
    if rule.holds(got.prediction.kernel):
        named = {one.rule for one in got.faults} | {one.rule for one in got.prediction.devices}
        named |= {one.rule for one in got.prediction.regions.nodes if one.rule}
        equal(rule in named, True, f"whether the lint names {name}")


@pytest.mark.property(*CHECKED)
@DISK
@pytest.mark.nightly("an option that few boot loaders give")
@pytest.mark.parametrize("append", ["mem=225M", "mem=224M", "mem=64M mem=1G"])
def test_the_lint_predicts_what_less_ram_does(checker: TreeChecker, append: str) -> None:
    """A pool behind the end that the command line gives to RAM ends the boot, and no other."""
    got = checker.check(RULE_TREES["restricted"])

    equal(got.differences, (), "what the kernel did otherwise")
    equal(got.ended, append == "mem=224M", "whether the boot ends")


@pytest.mark.property(*CHECKED)
@DISK
@pytest.mark.parametrize("made", in_default_tier(MENDED_TREES, "a region of no size"))
def test_the_lint_predicts_what_it_was_once_wrong_about(
    checker: TreeChecker, made: MadeTree
) -> None:
    """Regions, pools, devices and the log are what the lint predicts, with memory used up too."""
    got = checker.check(made)

    equal(got.differences, (), "what the kernel did otherwise")


@pytest.mark.property(*CHECKED)
@pytest.mark.any_shape(*in_default_tier(SHAPES, "pool-pci-both", "pool-dma-ranges"))
def test_the_lint_predicts_what_the_kernel_makes_of_a_shape(
    request: pytest.FixtureRequest, guests: Guests, stopped_guest: Guest, known_types: KnownTypes
) -> None:
    """Regions, pools, devices and the log are what the lint predicts, with memory used up too."""
    got = check_guest(stopped_guest, known_types)

    for rule in {one.rule.name for one in got.prediction.devices} & REPORTED.keys():
        request.node.add_marker(pytest.mark.expects_report(REPORTED[rule]))
    if got.ended and not got.differences:
        guests.discard(stopped_guest)  # as predicted: there is nothing to examine
    if got.differences:
        raise violation_of(DIFFERS, "as predicted", "\n".join(got.differences))


@pytest.mark.property("E11")
@pytest.mark.finding("dynamic-over-memreserve", kernels=">=6.6")
@WRONG
@DISK
def test_a_pool_is_not_placed_over_a_memreserve(checker: TreeChecker) -> None:
    """The kernel places no pool over memory that a /memreserve/ entry of the blob reserves."""
    made, _ = KNOWN_TREES["a pool is placed over a memreserve"]

    guest = checker.booted(made)

    ((base, size),) = made.reservations
    said = re.search(CREATED, log(guest))
    place = int(said[1], 16) if said else 0
    equal(base <= place < base + size, False, f"whether the pool at {place:#x} is in the entry")


@pytest.mark.property("A7")
@pytest.mark.finding("namesake", kernels=">=6.12")
@WRONG
@DISK
def test_a_device_does_not_get_the_pool_of_a_namesake(checker: TreeChecker) -> None:
    """A device that refers to a node outside /reserved-memory does not get a pool of its name."""
    made, _ = KNOWN_TREES["a device gets the pool of a namesake"]

    guest = checker.booted(made)

    equal(assigned(guest, "probe-a"), "", "the pool that the kernel log assigns to probe-a")


@pytest.mark.property("A1")
@pytest.mark.finding("no-map-part-of-page", kernels=">=6.12", ends=("CRASH",))
@WRONG
@DISK
def test_the_kernel_boots_beside_memory_that_is_no_whole_page(checker: TreeChecker) -> None:
    """The kernel announces a pool although other memory, with no-map, ends within a page."""
    made, _ = KNOWN_TREES["the rest of a page of no-map memory is used"]

    logged(checker.booted(made), "created restricted DMA pool")


@pytest.mark.property("A1")
@pytest.mark.finding("huge-region", kernels=">=5.15,<6.16", ends=("HANG",))
@WRONG
@DISK
def test_the_kernel_boots_with_a_region_of_an_exbibyte(checker: TreeChecker) -> None:
    """The kernel announces a pool although another region is larger than all memory."""
    made, _ = KNOWN_TREES["a region of an exbibyte"]

    logged(checker.booted(made), "created restricted DMA pool")
