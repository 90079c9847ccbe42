# SPDX-License-Identifier: Apache-2.0
"""Set up a machine's fence before the kernel runs, check that it is intact, read its log."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from harness.base.address_range import AddressRange
from harness.base.disk import require_not_full
from harness.machine.fence import Constant, Fence, Refusal, Register, smmu_refusals
from harness.machine.layout import RamBlock
from harness.machine.machine import FENCE_LOG, Machine
from harness.machine.qemu.qtest import Qtest

FLASH_SIZE = 64 << 20
"""Bytes of a flash bank of the ``virt`` board (QEMU, hw/arm/virt.c, base_memmap[VIRT_FLASH])."""


class ConfinedDevice(Protocol):
    """A device in a process of ours, which keeps to the memory that it was handed by itself."""

    name: str

    @property
    def reach(self) -> Sequence[AddressRange]:
        """The guest memory that it can access."""

    def refusals(self) -> Sequence[Refusal]:
        """Its accesses to other memory, oldest first."""


def write_flash(machine: Machine, directory: Path) -> None:
    """Write the flash banks of *machine* into *directory*, as sparse files of their full size."""
    for bank, image in machine.fence.flash if machine.fence else ():
        with machine.flash_file(directory, bank).open("wb") as file:
            file.write(image)
            file.truncate(FLASH_SIZE)


def put_up(fence: Fence, qtest: Qtest) -> None:
    """Write the registers of *fence*, before the kernel's first instruction."""
    for register in fence.setup:
        qtest.write_register(register.address, register.width, register.value)


def damage(fence: Fence, qtest: Qtest) -> list[str]:
    """Each register and memory of the fence that has changed, a sentence each."""
    return [
        *_changed_registers(fence.standing, qtest),
        *_changed_constants(fence.constants, qtest),
    ]


def excess(blocks: Sequence[RamBlock], devices: Sequence[ConfinedDevice]) -> list[str]:
    """What *devices* reach beside the *blocks* that they are to be handed, a sentence each."""
    allowed = [block for block in blocks if block.handed_over]
    return [
        f"device {device.name} reaches {part}, which the fence does not give it"
        for device in devices
        for part in device.reach
        if not any(block.base <= part.base and part.end <= block.end for block in allowed)
    ]


def refusals(directory: Path, devices: Sequence[ConfinedDevice]) -> list[Refusal]:
    """The accesses that QEMU's log in *directory*, and *devices*, say were refused, oldest first.

    Raises HostError when the file system of the log is full.
    """
    require_not_full("QEMU's log of refused accesses", [directory])
    log, found = directory / FENCE_LOG, [one for device in devices for one in device.refusals()]
    if log.exists():
        with log.open(errors="replace") as lines:
            found += smmu_refusals(lines)
    return sorted(found, key=lambda refusal: refusal.time)


def _changed_registers(registers: tuple[Register, ...], qtest: Qtest) -> Iterator[str]:
    for wanted in registers:
        seen = qtest.read_register(wanted.address, wanted.width)
        if seen != wanted.value:
            yield f"register {wanted.address:#x} holds {seen:#x}, not {wanted.value:#x}"


def _changed_constants(constants: tuple[Constant, ...], qtest: Qtest) -> Iterator[str]:
    for wanted in constants:
        size = len(wanted.content)
        seen = qtest.read(wanted.address, size)
        if seen != wanted.content:
            at = next(i for i in range(size) if seen[i] != wanted.content[i])
            yield f"memory at {wanted.address + at:#x} differs from what the fence wrote there"
