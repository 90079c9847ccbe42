# SPDX-License-Identifier: Apache-2.0
"""Fixtures that describe the machine, one for each dimension.

A test overrides a dimension by parametrising it, ``@pytest.mark.parametrize("shape", [...])``,
and gets every fixture of guest_fixtures.py for that machine.
"""

import functools
from collections.abc import Mapping
from dataclasses import replace

import pytest

from harness.base.address_range import AddressRange
from harness.kernel import Initramfs, Kernel, build_initramfs, build_kernel
from harness.machine.binary import Qemu, find_qemu
from harness.machine.devicetree import Devicetree, Placement, Pool
from harness.machine.fence import Fence, fence_named
from harness.machine.machine import KERNEL_SMMU, Machine
from harness.machine.qemu.guest import Guest
from harness.machine.shape import DEFAULT_SHAPE, root_ports, shaped_devicetree
from harness.machine.virtio import VirtioDevice
from harness.plugin.boots import Boots, shared_directory
from harness.plugin.markers import runs_on
from harness.plugin.session import initramfs_key, kernel_key
from harness.results.request import SuiteRequest, request_from

PORTS = 2


@pytest.fixture(scope="session")
def settings(request: pytest.FixtureRequest) -> SuiteRequest:
    """The options of the command line."""
    return request_from(request.config)


@pytest.fixture
def flavour(settings: SuiteRequest) -> str:
    """The flavour of the kernel, from kernel-config/flavours; empty for the plain kernel."""
    return settings.spec.flavour


@pytest.fixture
def from_source(settings: SuiteRequest) -> None:
    """Skip a test that builds another kernel of the same source if the kernel was given built."""
    if settings.spec.is_built:
        pytest.skip("builds a kernel of its own from source; the kernel under test has none")


@pytest.fixture
def kernel(
    request: pytest.FixtureRequest, settings: SuiteRequest, flavour: str, qemu: Qemu
) -> Kernel:
    """The kernel under test; skips a test that needs what it or QEMU lacks."""
    if flavour == settings.spec.flavour:
        kernel = request.config.stash[kernel_key]
    else:
        request.getfixturevalue("from_source")
        kernel = build_kernel(replace(settings.spec, flavour=flavour))
    runs_on(request.node, kernel, qemu)
    return kernel


@pytest.fixture(scope="session")
def qemu(settings: SuiteRequest) -> Qemu:
    """The QEMU binary."""
    return find_qemu(settings.qemu)


@pytest.fixture(scope="session")
def boots(
    request: pytest.FixtureRequest,
    settings: SuiteRequest,
    qemu: Qemu,
    tmp_path_factory: pytest.TempPathFactory,
) -> Boots:
    """Which kernels of this run boot."""
    shared = shared_directory(request.config, tmp_path_factory.getbasetemp())
    return Boots(shared, qemu, settings.ram_size)


@pytest.fixture
def initramfs(
    request: pytest.FixtureRequest,
    settings: SuiteRequest,
    flavour: str,
    kernel: Kernel,
    boots: Boots,
) -> Initramfs:
    """The guest programs, built for the kernel under test, which boots with them."""
    if flavour == settings.spec.flavour:
        programs = request.config.stash[initramfs_key]
    else:
        programs = build_initramfs(kernel, replace(settings.spec, flavour=flavour))
    boots.require(request.node.stash, kernel, programs)
    return programs


@pytest.fixture
def shape(settings: SuiteRequest) -> str:
    """Which devices have which pool: an overlay's name in dts/ or file, or ``no-pool``."""
    return settings.shape or DEFAULT_SHAPE


@pytest.fixture
def placements() -> Mapping[str, Placement]:
    """Where pools lie, by their label in the overlay; those not named stay as written."""
    return {}


@pytest.fixture
def cpus() -> int:
    """How many virtual CPUs the machine has, 1 to 8."""
    return 1


@pytest.fixture
def ram_size(settings: SuiteRequest) -> int:
    """How much RAM the machine has, in bytes; its overlays need 256 MiB."""
    return settings.ram_size


@pytest.fixture
def append() -> str:
    """Words to append to the kernel command line."""
    return ""


@pytest.fixture
def iommu() -> bool:
    """Whether the PCI bus is behind an SMMU that the kernel knows of."""
    return False


@pytest.fixture
def windows() -> tuple[AddressRange, ...]:
    """The memory that a fence lets devices reach: the pool of most shapes, there or not."""
    return (AddressRange(0x4F00_0000, 0x100_0000),)


@pytest.fixture
def ports(settings: SuiteRequest, qemu: Qemu, ram_size: int) -> int:
    """How many empty root ports the machine has."""
    if not settings.shape:
        return PORTS
    return max(PORTS, root_ports(_devicetree(qemu, settings.shape, ram_size, 1, "", (), ())))


@pytest.fixture
def logs_caches() -> bool:
    """Whether firmware logs the kernel's cache maintenance; that of the fence ``firmware`` can."""
    return False


@pytest.fixture
def fence_name(logs_caches: bool) -> str:
    """The fence that confines devices: a name of harness/machine/fence/kinds, empty for none."""
    return "firmware" if logs_caches else ""


@pytest.fixture
def fence(
    fence_name: str, windows: tuple[AddressRange, ...], ports: int, logs_caches: bool
) -> Fence | None:
    """The fence that confines devices."""
    if not fence_name:
        return None
    return fence_named(fence_name, windows, ports, logs_caches=logs_caches)


@pytest.fixture
def share_all() -> bool:
    """Whether devices in another process are handed all RAM, so that they can reach all of it."""
    return False


@pytest.fixture
def virtio() -> tuple[VirtioDevice, ...]:
    """The virtio devices on virtio-mmio transports."""
    return ()


@pytest.fixture
def devicetree(
    qemu: Qemu,
    ram_size: int,
    cpus: int,
    iommu: bool,
    shape: str,
    placements: Mapping[str, Placement],
    fence: Fence | None,
) -> Devicetree:
    """The machine's devicetree."""
    board = (KERNEL_SMMU if iommu else "") + (fence.visible_board if fence else "")
    more = fence.overlays if fence else ()
    return _devicetree(qemu, shape, ram_size, cpus, board, more, tuple(placements.items()))


@functools.cache
def _devicetree(
    qemu: Qemu,
    shape: str,
    ram_size: int,
    cpus: int,
    board: str,
    more: tuple[str, ...],
    placements: tuple[tuple[str, Placement], ...],
) -> Devicetree:
    """Compose each devicetree once in a session."""
    return shaped_devicetree(
        qemu,
        shape,
        ram_size=ram_size,
        cpus=cpus,
        board=board,
        more=more,
        placements=dict(placements),
    )


@pytest.fixture
def machine(
    qemu: Qemu,
    kernel: Kernel,
    initramfs: Initramfs,
    devicetree: Devicetree,
    ram_size: int,
    cpus: int,
    append: str,
    virtio: tuple[VirtioDevice, ...],
    iommu: bool,
    fence: Fence | None,
    share_all: bool,
    ports: int,
) -> Machine:
    """The machine that all dimensions together describe."""
    return Machine(
        qemu,
        kernel,
        initramfs,
        devicetree,
        ram_size,
        cpus,
        append=append,
        virtio=virtio,
        iommu=iommu,
        fence=fence,
        share_all=share_all,
        ports=ports,
    )


@pytest.fixture
def pool(request: pytest.FixtureRequest, devicetree: Devicetree) -> Pool:
    """The machine's only pool; one that the kernel places is where the guest's log says."""
    if not devicetree.dynamic:
        (only,) = devicetree.pools
        return only
    guest: Guest = request.getfixturevalue("guest")
    (placed,) = guest.pools()
    return placed
