# SPDX-License-Identifier: Apache-2.0
"""What a kernel made of a devicetree, read from outside, and how that differs from a prediction."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import drgn
from drgn.helpers.linux.device import dev_name

from harness.kernel import Kernel
from harness.kernel.geometry import image_size
from harness.machine.devicetree.flat import MAGIC, FlatTree, read_blob
from harness.machine.devicetree.lint import Fault, find_faults
from harness.machine.devicetree.model import (
    Environment,
    KernelVersion,
    Kind,
    Prediction,
    Restriction,
    predict,
)
from harness.machine.devicetree.model.dma_ranges import Reach, Window
from harness.machine.devicetree.model.memory import whole_pages
from harness.machine.devicetree.model.prediction import given_unmapped
from harness.machine.devicetree.model.spans import Spans
from harness.machine.devicetree.payload import kernel_place
from harness.machine.devicetree.region import Region
from harness.machine.layout import RAM_BASE
from harness.machine.qemu.guest import Guest
from harness.observe.memory import (
    KernelTypes,
    Memory,
    ReservedRegion,
    managed_memory,
    pages_not_reserved,
    reserved_regions,
)
from harness.observe.memory.kernel import kernel_reading
from harness.suite.lib.attached import ASSIGNED, FAILED, pool_of

STEP = 2 << 20
"""QEMU places the blob at a multiple of 2 MiB (hw/arm/boot.c:arm_setup_direct_kernel_boot, 7.2)."""


@dataclass(frozen=True)
class RealDevice:
    """A device that the kernel made: its node's path, its pool's name, and what it reaches.

    The path is empty if it has no node.
    """

    name: str
    path: str
    bound: bool
    is_pci: bool
    pool: str
    reach: Reach


def loaded_tree(memory: Memory, ram_size: int) -> tuple[FlatTree, Region]:
    """The devicetree that QEMU loaded for a guest, and where it lies: the kernel keeps it there."""
    for base in range(RAM_BASE, RAM_BASE + ram_size, STEP):
        if memory.read(base, 4) == MAGIC.to_bytes(4):
            size = int.from_bytes(memory.read(base + 4, 4))
            return read_blob(memory.read(base, size)), Region(base, size, "the devicetree")
    raise AssertionError("QEMU loaded no devicetree")


def environment(kernel: Kernel, blob: Region) -> Environment:
    """What lies in RAM beside the initial RAM disk, which the blob names."""
    place = kernel_place(RAM_BASE, image_size(kernel.image))
    return Environment(loaded=(place, blob), page=kernel.page_size)


@dataclass(frozen=True)
class LoadedTree:
    """The devicetree of a guest, what lies in RAM beside it, and what is predicted for both."""

    tree: FlatTree
    around: Environment
    prediction: Prediction

    def faults(self) -> tuple[Fault, ...]:
        """What the lint finds wrong."""
        return find_faults(self.tree, self.prediction, self.around)


def predict_loaded(guest: Guest, memory: Memory) -> LoadedTree:
    """What is predicted of the kernel of *guest* by the devicetree in its *memory*."""
    kernel = guest.machine.kernel
    tree, place = loaded_tree(memory, guest.machine.ram_size)
    around = environment(kernel, place)
    version = KernelVersion.parse(kernel.release)
    return LoadedTree(tree, around, predict(tree, version, around))


def real_devices(types: KernelTypes) -> list[RealDevice]:
    """Every platform and PCI device of the kernel."""
    pools: dict[int, str] = {}
    found = []
    with kernel_reading("the devices"):
        for device in types.devices():
            name = dev_name(device).decode()
            allocator = device.dma_io_tlb_mem.value_()
            if allocator not in pools:
                pools[allocator] = pool_of(types, name)
            found.append(
                RealDevice(
                    name=name,
                    path=_path(device.of_node),
                    bound=bool(device.driver),
                    is_pci=device.bus.name.string_() == b"pci",
                    pool=pools[allocator],
                    reach=_reach(device.dma_range_map),
                )
            )
    return found


def _reach(ranges: drgn.Object) -> Reach:
    """What dma_range_map says (include/linux/dma-direct.h:bus_dma_region); NULL is everything."""
    if not ranges:
        return Reach(None)
    windows: list[Window] = []
    while (one := ranges[len(windows)]).size:
        entry = (one.cpu_start.value_(), one.dma_start.value_(), one.size.value_())
        windows.append(Window(*entry))
    return Reach(tuple(windows))


def _path(node: drgn.Object) -> str:
    names = []
    while node and node.parent:
        names.append(node.full_name.string_().decode())
        node = node.parent
    return "/" + "/".join(reversed(names)) if names else ""


def differences(found: Prediction, guest: Guest, types: KernelTypes) -> Iterator[str]:
    """Where the kernel did something else than predicted, a sentence each."""
    yield from _regions(found, reserved_regions(types))
    devices = real_devices(types)
    log = "\n".join(guest.kernel_log())
    yield from _devices(found, devices, log)
    yield from _pages(found, types)
    yield from _given(found, types)
    for line in found.regions.log:
        if line not in log:
            yield f"the kernel did not print: {line}"
    for text in ("created restricted DMA pool", "compatible matching fail", "OVERLAP DETECTED"):
        expected, printed = "\n".join(found.regions.log).count(text), log.count(text)
        if expected != printed:
            yield f"the kernel printed '{text}' {printed} times, predicted {expected}"


def _regions(found: Prediction, real: tuple[ReservedRegion, ...]) -> Iterator[str]:
    expected = sorted((one.name, one.base or 0, one.size) for one in found.regions.lookup)
    seen = sorted((one.name, one.base, one.size) for one in real)
    if expected != seen:
        yield f"regions: predicted {_hex(expected)}, the kernel has {_hex(seen)}"
        return
    by_place = {(one.name, one.base, one.size): one for one in real}
    for one in found.regions.lookup:
        got = by_place[one.name, one.base or 0, one.size]
        if got.restricted is not None and got.restricted != (one.kind is Kind.POOL):
            yield f"{one.name}: predicted {one.kind.value}, restricted is {got.restricted}"


def _hex(rows: Sequence[tuple[str, int, int]]) -> str:
    return ", ".join(f"{name} {base:#x}+{size:#x}" for name, base, size in rows) or "none"


def _pages(found: Prediction, types: KernelTypes) -> Iterator[str]:
    """Pages of a pool that belong to the page allocator, unless a region over it was freed."""
    regions, ram = found.regions, found.regions.memory.ram
    given = [*regions.freed, *(one.place for one in regions.nodes if one.kind is Kind.CMA)]
    for pool in found.pools:
        inside = ram.covers(pool.place)
        if not inside or any(one.overlaps(pool.place) for one in given):
            continue
        pages = whole_pages(pool.place, found.around.page)
        count = pages.size // found.around.page
        if free := pages_not_reserved(types, pages.base, count):
            yield f"{len(free)} of {count} pages of {pool.name} are not reserved"


def _given(found: Prediction, types: KernelTypes) -> Iterator[str]:
    """Whether the kernel manages the memory of refused regions that it has not mapped.

    The page allocator has it, or what took memory before there was one.
    """
    managed = Spans(managed_memory(types))
    for one in given_unmapped(found.regions):
        if not managed.covers(one):
            yield f"the kernel does not use refused memory at {one.base:#x}"


def _devices(found: Prediction, real: list[RealDevice], log: str) -> Iterator[str]:
    predicted = {one.path: one for one in found.devices}
    by_path = {one.path: one for one in real if one.path}
    for path, one in predicted.items():
        there = by_path.get(path)
        if "probe-" not in path:
            continue
        if (one.outcome is Restriction.NO_DEVICE) != (there is None):
            yield f"{path}: predicted {one.outcome.value}, the kernel has {there}"
    for got in real:
        path = got.path or ("/pcie@10000000/*" if got.is_pci else "")
        wanted = predicted.get(path)
        if wanted is None or not got.bound:
            continue
        pool = wanted.pool.name if wanted.pool and wanted.outcome.is_attached else ""
        if got.pool != pool:
            yield f"{path} ({got.name}): predicted pool '{pool}', the kernel has '{got.pool}'"
        if got.reach != wanted.reach:
            yield f"{path} ({got.name}): predicted {wanted.reach}, the kernel has {got.reach}"
        for text in (ASSIGNED, FAILED):
            lines = wanted.log.splitlines()
            if (f" {got.name}: {text}" in log) != any(one.startswith(text) for one in lines):
                yield f"{path} ({got.name}): predicted the log '{wanted.log}', not so: {text}"
