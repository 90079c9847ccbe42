# SPDX-License-Identifier: Apache-2.0
"""Names that only a running guest has: registers, and what the probe holds."""

import re
from collections.abc import Iterable
from typing import Protocol

import drgn

from harness.base.errors import InputError
from harness.devices.probe import Probe, Space
from harness.shell.command import Needs

SPACES = {"buffer": Space.BUFFER, "mapping": Space.MAPPING, "allocation": Space.ALLOCATION}

_HELD = re.compile(rf"({'|'.join(SPACES)}):(\d+)")
_REGISTER = re.compile(r"\b(X\d\d|SP|PC)=([0-9a-f]{16})")
"""Registers in QEMU's ``info registers`` (target/arm/cpu.c:aarch64_cpu_dump_state, 7.2)."""

GENERAL = tuple(f"x{number}" for number in range(31))


def registers(text: str) -> dict[str, int]:
    """General registers, ``sp`` and ``pc`` of one CPU, from QEMU's ``info registers``."""
    found = {name.lower(): int(value, 16) for name, value in _REGISTER.findall(text)}
    return {f"x{int(name[1:])}" if name[0] == "x" else name: value for name, value in found.items()}


class RegisterOwner(Protocol):
    """A target with registers."""

    cpu: int

    def registers(self, cpu: int) -> dict[str, int]:
        """The registers of a CPU."""


class RegisterNames:
    """``$x0`` to ``$x30``, ``$lr``, ``$sp`` and ``$pc`` of the CPU that stopped last."""

    def __init__(self, owner: RegisterOwner) -> None:
        self._owner = owner

    def find(self, name: str) -> int | None:
        """The value of the register."""
        if not name.startswith("$"):
            return None
        values = self._owner.registers(self._owner.cpu)
        wanted = "x30" if name == "$lr" else name[1:].lower()
        if wanted not in values:
            raise InputError(f"unknown register {name}: expected $x0 to $x30, $lr, $sp or $pc")
        return values[wanted]

    def names(self) -> Iterable[str]:
        """All registers."""
        return [f"${name}" for name in (*GENERAL, "lr", "sp", "pc")]


class ProbeOwner(Protocol):
    """A target with a probe."""

    def require(self, needs: Needs) -> None:
        """Raise if the target lacks it."""

    @property
    def probe(self) -> Probe:
        """The probe."""


class HeldNames:
    """``mapping:0``, ``buffer:0`` and ``allocation:0``: what the session's probe holds, by number.

    A mapping is at its DMA address, a buffer at its physical one.
    """

    def __init__(self, owner: ProbeOwner) -> None:
        self._owner = owner

    def find(self, name: str) -> int | None:
        """The address for the device, or of the buffer."""
        found = _HELD.fullmatch(name)
        if found is None:
            return None
        self._owner.require(Needs.RUNNING)
        number, live = int(found[2]), self._owner.probe.live(SPACES[found[1]])
        for one in live:
            if one.handle == number:
                return one.dma_addr
        there = ", ".join(f"{found[1]}:{one.handle}" for one in live) or "none"
        raise InputError(f"the probe holds no {found[1]}:{number}; it holds: {there}")

    def names(self) -> Iterable[str]:
        """One name of each kind."""
        return [f"{name}:0" for name in SPACES]


class ProgramOwner(Protocol):
    """A target with a drgn program."""

    @property
    def program(self) -> drgn.Program:
        """The program."""


class ModuleNames:
    """Symbols of modules, at their addresses."""

    def __init__(self, owner: ProgramOwner) -> None:
        self._owner = owner

    def find(self, name: str) -> int | None:
        """The virtual address of the symbol."""
        try:
            return int(self._owner.program.symbol(name).address)
        except LookupError:
            return None

    def names(self) -> Iterable[str]:
        """None: only the kernel's own symbols are offered."""
        return []
