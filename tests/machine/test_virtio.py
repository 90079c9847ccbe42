# SPDX-License-Identifier: Apache-2.0
"""Virtio devices as QEMU's arguments."""

from pathlib import Path

import pytest

from harness.base.errors import InputError
from harness.machine.virtio import VirtioDevice

DISK = Path("/run/disk")


def test_a_transport_has_the_node_that_the_board_gives_it() -> None:
    assert VirtioDevice("rng", 3).node == "/virtio_mmio@a000600"


@pytest.mark.parametrize(("offered", "word"), [(True, "on"), (False, "off")])
def test_access_platform_is_offered_or_not(offered: bool, word: str) -> None:
    _, device = VirtioDevice("rng", 0, access_platform=offered).arguments(DISK)

    assert device.endswith(f"iommu_platform={word}")


def test_a_disk_has_the_files_content() -> None:
    _, drive, _, device = VirtioDevice("blk", 1).arguments(DISK)

    assert "filename=/run/disk,read-only=on" in drive
    assert device.endswith("drive=blk-1-disk")


def test_a_transport_that_the_board_does_not_have_is_refused() -> None:
    with pytest.raises(InputError, match="no virtio-mmio transport 32"):
        VirtioDevice("rng", 32)
