# SPDX-License-Identifier: Apache-2.0
"""The harness itself: a kernel that renames what the oracles read is judged, or said to be not."""

from dataclasses import replace

import pytest

from harness.base.errors import NotInKernel
from harness.base.paths import CHECKOUT
from harness.devices.probe import Device, Direction, Probe
from harness.kernel import Initramfs, Kernel, KernelSpec, build_initramfs, build_kernel
from harness.machine.machine import Machine
from harness.plugin.counters import PoolCounters
from harness.plugin.guests import Guests
from harness.results import SuiteRequest

pytestmark = [
    pytest.mark.nightly("two kernels of its own"),
    pytest.mark.usefixtures("from_source"),
    pytest.mark.needs("it is the member that is renamed", change="defpool"),
]


@pytest.fixture
def series() -> str:
    """The series of tests/series that the kernel has."""
    return "renamed-operations"


@pytest.fixture
def spec(settings: SuiteRequest, series: str) -> KernelSpec:
    """The kernel under test with the series."""
    return replace(settings.spec, series=(CHECKOUT / "tests/series" / series,))


@pytest.fixture
def kernel(spec: KernelSpec) -> Kernel:
    """That kernel, built."""
    return build_kernel(spec)


@pytest.fixture
def initramfs(spec: KernelSpec, kernel: Kernel) -> Initramfs:
    """Its guest programs."""
    return build_initramfs(kernel, spec)


@pytest.mark.breaks("B13", "the series leaks a slot of each mapping")
def test_a_leak_is_found_although_the_pools_operations_have_another_name(
    device: Device, probe: Probe, page: int
) -> None:
    """Pools are found by their devices when rmem_swiotlb_ops is gone."""
    device.map_single(probe.buffer(page), Direction.TO_DEVICE).unmap()


def test_a_file_of_debugfs_that_is_gone_is_named(counters: PoolCounters) -> None:
    """A counter that cannot be read is an error of the harness, not a violation."""
    with pytest.raises(NotInKernel, match=r"no file .*/io_tlb_used"):
        _ = counters.used


@pytest.mark.parametrize("series", ["renamed-member"])
def test_a_structure_that_is_not_known_is_named(guests: Guests, machine: Machine) -> None:
    """A guest whose pools cannot be read is not given to a test."""
    with pytest.raises(NotInKernel, match=r"no member struct io_tlb_mem\.defpool"):
        guests.restored(machine)
