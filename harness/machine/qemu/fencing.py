# SPDX-License-Identifier: Apache-2.0
"""Set up a machine's fence before the kernel runs, and check that it is intact."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.machine.fence import Constant, Fence, Register
from harness.machine.layout import RamBlock
from harness.machine.machine import Machine
from harness.machine.qemu.qtest import Qtest

FLASH_SIZE = 64 << 20
"""Bytes of a flash bank of the ``virt`` board (QEMU, hw/arm/virt.c, base_memmap[VIRT_FLASH])."""


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


def shared_memory(blocks: Sequence[RamBlock], backends: Sequence[Mapping[str, Any]]) -> list[str]:
    """Differences between QEMU's memory *backends* (``query-memdev``) and *blocks*."""
    seen = {backend["id"]: (backend["size"], backend["share"]) for backend in backends}
    wanted = {f"ram{number}": (block.size, True) for number, block in enumerate(blocks)}
    return [
        f"memory {name} is {seen.get(name)}, not {wanted.get(name)} (size, shared)"
        for name in sorted(seen.keys() | wanted.keys())
        if seen.get(name) != wanted.get(name) and (name in wanted or seen[name][1])
    ]


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
