# SPDX-License-Identifier: Apache-2.0
"""The harness itself: cache maintenance that does not fit its call is reported."""

import pytest

from harness.base.address_range import AddressRange
from harness.base.violation import PropertyViolated
from harness.devices.probe import Attr, Buffer, Device, Direction, Probe
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KernelTypes
from harness.suite.lib.cache_watch import CacheWatch
from harness.suite.lib.written import CPU

CALL = "dma_call()"

DSB_SY, NOP = bytes.fromhex("9f3f03d5"), bytes.fromhex("1f2003d5")

AWAITING = ("dcache_clean_poc", "swiotlb_map")
"""The functions with the barrier of a map: up to 7.2 the first, then the second."""


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
    """DMA_ATTR_SKIP_CPU_SYNC cleans no line: a violation of C10 for a call that must."""
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


def test_a_barrier_that_is_missing_is_reported(
    guest: Guest, device: Device, buffer: Buffer, types: KernelTypes, caches: CacheWatch
) -> None:
    """When the kernel's barriers are overwritten with NOPs, a map is not completed."""
    for symbol in map(types.program.symbol, AWAITING):
        begin = types.image.virt_to_phys(symbol.address)
        code = guest.qtest.read(begin, symbol.size)
        for offset in range(0, symbol.size, 4):
            if code[offset : offset + 4] == DSB_SY:
                guest.qtest.write(begin + offset, NOP)

    mapping = device.map_single(buffer, Direction.TO_DEVICE)

    with pytest.raises(PropertyViolated, match="did not wait for") as caught:
        caches.cleaned(CALL, AddressRange(mapping.phys, mapping.size))
    assert caught.value.ids == ("C11",)


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
