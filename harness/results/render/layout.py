# SPDX-License-Identifier: Apache-2.0
"""The layout of a guest's physical memory, and the accesses of rogue devices to it."""

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from harness.base.address_range import AddressRange
from harness.base.hex_repr import hex_repr
from harness.base.space import MIB
from harness.kernel.geometry import image_size
from harness.machine.fence import SCRATCH, smmu_refusals
from harness.machine.layout import RAM_BASE
from harness.machine.machine import FENCE_LOG
from harness.machine.qemu.artifacts import ROGUE_LOG
from harness.results.render.files import read_log

KERNEL_BASE = RAM_BASE + 2 * MIB
"""Where QEMU puts an arm64 Image whose text_offset is 0 (hw/arm/boot.c:load_aarch64_image), and
where the harness has it below firmware; Linux stays there, for its KASLR is virtual only."""

PAGE = 4096

_POOL_MESSAGE = re.compile(r"created restricted DMA pool at 0x([0-9a-f]+), size (\d+) MiB")
"""kernel/dma/swiotlb.c:rmem_swiotlb_setup"""

_ACCESS = re.compile(r"^(\S+) (read|write) (0x[0-9a-f]+) (\d+)( refused)?$")

IMAGE = "Image"

_LOADED = {"initramfs.cpio": "initramfs", "machine.dtb": "devicetree"}
"""Names of files that QEMU loads before the first instruction."""


@dataclass(frozen=True, repr=False)
class MemoryPart(AddressRange):
    """A part of physical memory: *kind* is ram, pool, kernel, scratch, window or loaded."""

    kind: str
    name: str


@hex_repr
@dataclass(frozen=True)
class DeviceAccess:
    """An access of a rogue: *access* is read, write, or ? if unknown.

    *refused*: a fence refused all or part of it.
    """

    device: str
    access: str
    address: int
    size: int
    refused: bool


def parts(machine: Mapping[str, Any], command: str, said: Iterable[str]) -> tuple[MemoryPart, ...]:
    """The parts of a guest's memory, from its description, QEMU's command and the kernel's log.

    A part whose file no longer exists is left out.
    """
    found: list[MemoryPart] = []
    if size := machine.get("ram_size"):
        found.append(MemoryPart(RAM_BASE, int(size), "ram", "RAM"))
    pools = {int(pool["base"]): str(pool["name"]) for pool in machine.get("pools", ())}
    found += [
        MemoryPart(base, int(pool["size"]), "pool", name)
        for pool in machine.get("pools", ())
        for base, name in [(int(pool["base"]), str(pool["name"]))]
    ]
    found += _placed_pools(said, pools, machine.get("dynamic", ()))
    if "rogue-scratch" in machine.get("overlays", ()):
        found.append(MemoryPart(SCRATCH.base, SCRATCH.size, "scratch", "the rogue's own"))
    found += _kernel(machine)
    found += _loaded(command)
    found += _windows(machine, found)
    return tuple(dict.fromkeys(found))


def _placed_pools(
    said: Iterable[str], placed: Mapping[int, str], dynamic: Sequence[Mapping[str, Any]]
) -> Iterator[MemoryPart]:
    """Pools that the kernel placed, from its log."""
    for line in said if dynamic else ():
        message = _POOL_MESSAGE.search(line)
        if message and int(message[1], 16) not in placed:
            yield MemoryPart(
                int(message[1], 16), int(message[2]) * MIB, "pool", "pool, placed by Linux"
            )


def _windows(machine: Mapping[str, Any], others: Sequence[MemoryPart]) -> Iterator[MemoryPart]:
    """The fence's allowed windows that are not pools."""
    bases = {part.base for part in others}
    for base, size in machine.get("windows", ()):
        if base not in bases:
            yield MemoryPart(base, size, "window", "window of the fence")


def _kernel(machine: Mapping[str, Any]) -> Iterator[MemoryPart]:
    """The kernel, if it is still in the cache."""
    with suppress(OSError, KeyError):
        size = image_size(Path(str(machine["kernel"])) / IMAGE)
        yield MemoryPart(KERNEL_BASE, max(size, PAGE), "kernel", "kernel")


def _loaded(command: str) -> Iterator[MemoryPart]:
    """What QEMU's generic loader loads, if the file still exists."""
    words = _words(command)
    for _, value in (pair for pair in pairwise(words) if pair[0] == "-device"):
        fields = dict(pair.partition("=")[::2] for pair in value.split(",")[1:])
        file = Path(fields.get("file", ""))
        if value.startswith("loader,") and "addr" in fields and file.name != IMAGE:
            with suppress(OSError, ValueError):
                size = max(file.stat().st_size, PAGE)
                name = _LOADED.get(file.name, file.stem)
                yield MemoryPart(int(fields["addr"], 0), size, "loaded", name)


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return []


def accesses(directory: Path) -> tuple[DeviceAccess, ...]:
    """Accesses from the rogues' log, and refused ones that only the fence's log has."""
    refused = list(smmu_refusals(read_log(directory / FENCE_LOG).splitlines()))
    addresses = {one.address for one in refused}
    tried = [
        DeviceAccess(
            found[1], found[2], base, size, bool(found[5]) or any(one in whole for one in addresses)
        )
        for line in read_log(directory / ROGUE_LOG).splitlines()
        if (found := _ACCESS.match(line))
        for base, size in [(int(found[3], 16), int(found[4]))]
        for whole in [range(base, base + size)]
    ]
    rest = [
        DeviceAccess(one.device, one.access, one.address, 4, refused=True)
        for one in refused
        if not any(
            own.address <= one.address < own.address + own.size for own in dict.fromkeys(tried)
        )
    ]
    return (*tried, *rest)
