# SPDX-License-Identifier: Apache-2.0
"""Describe guest addresses in the report of a failure."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.base.address_range import AddressRange
from harness.base.errors import GuestError, HarnessError
from harness.kernel import SLOT
from harness.machine.fence import SCRATCH
from harness.machine.qemu.guest import Guest
from harness.observe.memory.atlas import Atlas, Hit
from harness.observe.memory.kernel import KernelTypes
from harness.observe.memory.memory_use import MemoryUse
from harness.observe.memory.names import KERNEL_VIRTUAL, Resolver
from harness.observe.memory.pools import default_pool, restricted_pools

LOWEST = 0x0800_0000
"""Lower numbers are not addresses: the board's first device (QEMU, hw/arm/virt.c, base_memmap)."""

MOST = 8
"""Most addresses that are explained for one failure."""

_RANGE = re.compile(r"\[0x[0-9a-f]+, 0x[0-9a-f]+\)")
_HEX = re.compile(r"\b0x[0-9a-f]{7,16}\b")

_DEVICE = re.compile(r"Bus +(\d+), device +(\d+), function (\d+):")
_BAR = re.compile(r"BAR(\d+): .*memory at (0x[0-9a-f]+) \[(0x[0-9a-f]+)\]")
"""Lines of QEMU's ``info pci`` (hw/pci/pci-hmp-cmds.c)."""

ALLOCATOR = (MemoryUse.FREE, MemoryUse.PAGE_CACHE, MemoryUse.ANONYMOUS, MemoryUse.ALLOCATED)
"""Pages that the page allocator has or has given out."""


@dataclass(frozen=True, repr=False)
class Bar(AddressRange):
    """The memory BAR *number* of the PCI device at *device*."""

    device: str
    number: int


class Places:
    """Describes addresses of *guest*; *types* reads its kernel's structures.

    The guest may run or be paused; None stands for a dump, which has no devices.
    """

    def __init__(self, guest: Guest | None, types: KernelTypes) -> None:
        self._guest, self._types = guest, types
        self._atlas, self._resolver = Atlas(types), Resolver(lambda: types, [])

    def describe(self, address: int) -> str | None:
        """As :meth:`find`, for a report: None also where the kernel cannot be read."""
        try:
            return self.find(address)
        except (HarnessError, GuestError, LookupError, ValueError):
            return None

    def find(self, address: int) -> str | None:
        """Describe *address*, guest-physical or kernel virtual; None if nothing is there.

        Raises AddressError where the kernel's structures cannot be read, and what drgn raises.
        """
        return self._virtual(address) if address >= KERNEL_VIRTUAL else self._physical(address)

    def _physical(self, phys: int) -> str | None:
        if SCRATCH.contains(phys):
            return f"the harness's scratch memory {SCRATCH}"
        bar = next((bar for bar in self._bars if bar.contains(phys)), None)
        if bar is not None:
            return f"BAR {bar.number} of PCI device {bar.device}, not RAM"
        if not any(one.contains(phys) for one in self._types.memory.ranges):
            return None
        return self._pool(phys) or _outside(self._atlas.classify(phys))

    def _pool(self, phys: int) -> str | None:
        """The pool and slot of *phys*, by the kernel's pools, then by the devicetree's."""
        for name, pool in self._pools:
            if pool.contains(phys):
                return f"slot {(phys - pool.base) // SLOT} of {name} {_range(pool)}"
        for pool in self._guest.pools() if self._guest else ():
            if pool.contains(phys):
                return f"pool {pool.name} {_range(pool)}, which has no device"
        return None

    def _virtual(self, address: int) -> str | None:
        phys = self._resolver.to_phys(address)
        place = self._physical(phys)
        return None if place is None else f"kernel virtual address of {phys:#x}: {place}"

    @cached_property
    def _pools(self) -> tuple[tuple[str, AddressRange], ...]:
        default = default_pool(self._types)
        return (
            *((f"pool {one.name}", one) for one in restricted_pools(self._types)),
            *([("the default pool", default)] if default else []),
        )

    @cached_property
    def _bars(self) -> tuple[Bar, ...]:
        """Those of the devices; none of a QEMU that has ended, which says nothing any more."""
        if self._guest is None:
            return ()
        try:
            return tuple(bars(self._guest.monitor.hmp("info pci")))
        except GuestError:
            if self._guest.ending is None:
                raise
            return ()


def bars(text: str) -> Iterator[Bar]:
    """The BARs in what QEMU's ``info pci`` prints; without those that have no address yet."""
    device = ""
    for line in text.splitlines():
        if found := _DEVICE.search(line):
            bus, number, function = map(int, found.groups())
            device = f"{bus:02x}:{number:02x}.{function}"
        elif found := _BAR.search(line):
            base, last = int(found[2], 16), int(found[3], 16)
            yield Bar(base, last + 1 - base, device, int(found[1]))


def addresses(texts: Iterable[str]) -> list[int]:
    """The addresses in *texts*, each once, in order; without ends of ranges and masks."""
    numbers = (int(one, 16) for text in texts for one in _HEX.findall(_RANGE.sub("", text)))
    return list(dict.fromkeys(one for one in numbers if one >= LOWEST and one & (one + 1)))


def explain(places: Places, texts: Sequence[str]) -> tuple[str, ...]:
    """A line for each of the first MOST addresses in *texts* that can be described."""
    known = ((one, places.describe(one)) for one in addresses(texts))
    lines = [f"{address:#x} {place}" for address, place in known if place is not None]
    return tuple(lines[:MOST])


def _outside(hit: Hit) -> str:
    owner = " (page allocator)" if hit.use in ALLOCATOR else ""
    detail = f", {hit.detail}" if hit.detail else ""
    return f"{hit.use.value}{owner}{detail}, not in any pool"


def _range(memory: AddressRange) -> str:
    """The ends of the range, without what a subclass adds."""
    return AddressRange.__str__(memory)
