# SPDX-License-Identifier: Apache-2.0
"""The harness itself: cache maintenance that does not fit its call is reported."""

import pytest

from harness.base.address_range import AddressRange
from harness.base.violation import PropertyViolated
from harness.devices.probe import Attr, Buffer, Device, Direction, Probe
from harness.suite.lib.cache_watch import CacheWatch
from harness.suite.lib.written import CPU

CALL = "dma_call()"


@pytest.fixture
def logs_caches() -> bool:
    """The firmware logs it."""
    return True


@pytest.fixture
def buffer(probe: Probe, page: int) -> Buffer:
    """A page of the CPU's bytes."""
    return probe.buffer(page, content=CPU)


def test_a_map_that_leaves_the_caches_to_its_driver_is_reported(
    device: Device, buffer: Buffer, caches: CacheWatch
) -> None:
    """With DMA_ATTR_SKIP_CPU_SYNC no line is cleaned, which breaks C10 for who expects it."""
    mapping = device.map_single(buffer, Direction.TO_DEVICE, attrs=Attr.SKIP_CPU_SYNC)

    with pytest.raises(PropertyViolated, match="lines untouched") as caught:
        caches.cleaned(CALL, AddressRange(mapping.phys, mapping.size))
    assert caught.value.ids == ("C10",)


def test_the_wrong_direction_is_reported(
    device: Device, buffer: Buffer, caches: CacheWatch
) -> None:
    """A sync for the CPU does not clean, and one for the device does not invalidate."""
    with device.map_single(buffer, Direction.BIDIRECTIONAL) as mapping:
        place = AddressRange(mapping.phys, mapping.size)
        caches.begin()
        mapping.sync_for_cpu()
        with pytest.raises(PropertyViolated, match="only invalidated"):
            caches.cleaned(CALL, place)
        caches.begin()
        mapping.sync_for_device()
        with pytest.raises(PropertyViolated, match="only cleaned"):
            caches.invalidated(CALL, place)


def test_a_sync_that_is_too_short_is_reported(
    device: Device, buffer: Buffer, caches: CacheWatch
) -> None:
    """The last line of a mapping, which a sync leaves out, is named."""
    with device.map_single(buffer, Direction.TO_DEVICE) as mapping:
        caches.begin()
        mapping.sync_for_device(0, mapping.size - 1024)
        with pytest.raises(
            PropertyViolated, match=f"untouched: .{mapping.phys + mapping.size - 1024:#x}"
        ):
            caches.cleaned(CALL, AddressRange(mapping.phys, mapping.size))
