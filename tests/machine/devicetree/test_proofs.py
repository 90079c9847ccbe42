# SPDX-License-Identifier: Apache-2.0
"""Each rule of the lint is proven by a test that boots a kernel."""

import re

import pytest

from harness.base.paths import CHECKOUT
from harness.machine.devicetree.model import RULES
from harness.suite.lib.lint_known_trees import KNOWN_TREES, RULE_TREES

PROVEN_BY = {
    "attached-in-parallel": "test_devices_attached_at_once_share_the_pool",
    "attached-twice": "test_the_lint_predicts_what_it_was_once_wrong_about",
    "behind-iommu": "test_a_device_behind_an_iommu_ignores_its_pool",
    "beyond-32-bits": "test_a_32_bit_device_uses_its_pool_if_it_reaches_it_and_else_nothing",
    "disabled-function": "test_the_lint_predicts_what_it_was_once_wrong_about",
    "inherit-unless-usable": "test_the_lint_predicts_what_a_rule_says",  # empty-region-hides
    "larger-pages": "test_the_pages_of_a_pool_hold_no_data_of_the_kernel",  # flavours 16k, 64k
    "odd-size": "test_an_emptied_pool_does_not_grow",
    "odd-size-overrun": "test_every_slot_of_a_pool_can_be_used_and_none_outside",
    "page-shared": "test_the_pages_of_a_pool_hold_no_data_of_the_kernel",
    "page-unaligned": "test_the_largest_mapping_fits_into_a_pool_off_a_page",
    "set-unaligned": "test_the_largest_coherent_memory_needs_an_aligned_pool",
    "slot-unaligned": "test_nothing_fits_into_a_pool_off_a_slot",
    "small-pool": "test_a_large_request_ends_in_a_pool_that_is_smaller",
    "virtio-access-platform": "test_virtio_without_access_platform_passes_the_pool_by",
}
"""A test of the suite for each rule that has no devicetree in lint_known_trees.py."""

WITHOUT_A_BOOT = {
    *("expected", "nothing-named"),  # what the lint was asked
    "no-memory",  # QEMU adds memory nodes
    "several-entries",  # 6.19 to 7.1
}


def test_each_rule_is_proven_by_a_boot() -> None:
    trees = {*RULE_TREES, *(rule.name for _, rule in KNOWN_TREES.values())}

    assert RULES.keys() == trees | PROVEN_BY.keys() | WITHOUT_A_BOOT
    assert trees.isdisjoint(PROVEN_BY)


@pytest.mark.parametrize("name", sorted(set(PROVEN_BY.values())))
def test_the_proof_exists(name: str) -> None:
    files = (CHECKOUT / "harness/suite").rglob("test_*.py")

    assert any(re.search(rf"^def {name}\(", one.read_text(), re.M) for one in files)
