# SPDX-License-Identifier: Apache-2.0
"""The harness itself: a kernel may have another number of slots in a slot set (IO_TLB_SEGSIZE)."""

from dataclasses import replace

import pytest

from harness.base.paths import CHECKOUT
from harness.devices.probe import Device, Probe, Slice
from harness.kernel import Initramfs, Kernel, KernelSpec, build_initramfs, build_kernel
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.observe.memory import LiveMemory
from harness.results import SuiteRequest
from harness.suite.lib.expect import equal, mapped, not_mapped
from harness.suite.lib.smoke import check_restricted

pytestmark = [
    pytest.mark.nightly("two kernels of its own"),
    pytest.mark.usefixtures("from_source"),
    pytest.mark.parametrize("segment", [64, 1024]),
]


@pytest.fixture
def spec(settings: SuiteRequest, segment: int) -> KernelSpec:
    """The kernel under test with slot sets of so many slots."""
    series = CHECKOUT / f"tests/series/segments-of-{segment}"
    return replace(settings.spec, series=(series,))


@pytest.fixture
def kernel(spec: KernelSpec) -> Kernel:
    """That kernel, built."""
    return build_kernel(spec)


@pytest.fixture
def initramfs(spec: KernelSpec, kernel: Kernel) -> Initramfs:
    """Its guest programs."""
    return build_initramfs(kernel, spec)


def test_a_pool_of_such_a_kernel_is_as_it_should_be(
    guest: Guest, device: Device, probe: Probe, memory: LiveMemory, pool: Pool, segment: int
) -> None:
    """The short check, whose numbers follow from the slot set, finds nothing wrong."""
    equal(guest.machine.geometry.slots_of_set, segment, "slots of a slot set")

    check_restricted(guest, device, probe, memory, pool)


def test_the_largest_mapping_is_a_slot_set(device: Device, probe: Probe, slot_set: int) -> None:
    """A slot set can be mapped, and not a byte more."""
    buffer = probe.buffer(2 * slot_set)

    fits, too_large = device.try_each([Slice(buffer, 0, slot_set), Slice(buffer, 0, slot_set + 1)])

    mapped(fits, slot_set)
    not_mapped(too_large, slot_set + 1)
