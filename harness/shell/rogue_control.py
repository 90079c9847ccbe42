# SPDX-License-Identifier: Apache-2.0
"""The forms of the shell's ``rogue`` command."""

from harness.base.errors import InputError
from harness.devices.rogue import EduRogue, NvmeRogue, Rogue, rogue_kinds
from harness.machine.layout import RAM_BASE
from harness.observe.memory.names import unknown
from harness.shell.target import Target
from harness.shell.words import (
    LARGEST,
    hex_dump,
    parse_bytes,
    parse_number,
)

MSI_SIZE = 4
"""Bytes."""

MSI_END = 1 << 16
"""An MSI writes four bytes, of which the device's data register gives 16 bits (PCI 3.0, 6.8.1)."""

DEFAULT_KIND = "edu"


class RogueControl:
    """Controls a rogue device of a target's guest; the first command plugs it."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._plugged: dict[int, tuple[str, Rogue]] = {}
        self._port: int | None = None

    def drive(self, words: list[str]) -> str | None:
        """Run a ``rogue`` command and return what it says; None if it has another form.

        Raises InputError for invalid numbers and bytes before anything is done.
        """
        match words:
            case ["plug"]:
                return _said(self.plug(0, DEFAULT_KIND))
            case ["plug", port]:
                number = self._port_number(port)
                return _said(self.plug(number, self._plugged.get(number, (DEFAULT_KIND,))[0]))
            case ["plug", port, kind]:
                return _said(self.plug(self._port_number(port), kind))
            case ["unplug"]:
                return self._unplug()
            case _:
                return self._access(words)

    def _access(self, words: list[str]) -> str | None:
        """The forms that make the device access memory."""
        match words:
            case ["read", address, size]:
                count = parse_number(size, "number of bytes", least=1, end=LARGEST + 1)
                return self._read(self._address(address), count)
            case ["write", address, *data] if data:
                return self._write(self._address(address), parse_bytes(" ".join(data)))
            case ["msi", address, value]:
                number = parse_number(value, "MSI value", end=MSI_END)
                return self._forge_msi(self._address(address, alignment=MSI_SIZE), number)
            case ["master", ("on" | "off") as state]:
                return self._set_bus_master(state == "on")
            case _:
                return None

    def plug(self, port: int, kind: str) -> Rogue:
        """Select the device in *port*, a *kind*; plug it if the port is empty."""
        if kind not in rogue_kinds():
            raise unknown("rogue", kind, rogue_kinds())
        there = self._plugged.get(port, (kind,))[0]
        if there != kind:
            raise InputError(f"root port {port} has {there}: remove it with 'rogue unplug'")
        if port not in self._plugged:
            self._plugged[port] = kind, rogue_kinds()[kind].plug(self._target.guest, port)
        self._port = port
        return self._plugged[port][1]

    def _unplug(self) -> str:
        if self._port is None:
            raise InputError("no rogue is plugged in: plug one with 'rogue plug'")
        _, device = self._plugged.pop(self._port)
        self._port = None
        device.detach()
        return f"{device.name} is unplugged"

    def _hand(self) -> Rogue:
        return self.plug(0, DEFAULT_KIND) if self._port is None else self._plugged[self._port][1]

    def _set_bus_master(self, on: bool) -> str:
        device = self._hand()
        if not isinstance(device, EduRogue | NvmeRogue):
            raise InputError(
                f"{device.name} maps the memory itself: it does not depend on bus mastering"
            )
        device.set_bus_master(on)
        return ""

    def _read(self, address: int, size: int) -> str:
        dump = hex_dump(address, self._hand().read(address, size))
        return self._with_note(dump, address, size)

    def _write(self, address: int, data: bytes) -> str:
        self._hand().write(address, data)
        return self._with_note("", address, len(data))

    def _forge_msi(self, address: int, value: int) -> str:
        device = self._hand()
        if not isinstance(device, EduRogue):
            raise InputError(f"{device.name} cannot forge an MSI: expected an edu")
        device.forge_msi(address, value)
        return self._with_note("", address, MSI_SIZE)

    def _with_note(self, text: str, address: int, size: int) -> str:
        end = RAM_BASE + self._target.guest.machine.ram_size
        if address >= RAM_BASE and address + size <= end:
            return text
        note = (
            f"note: not all of that is RAM, which is {RAM_BASE:#x} to {end - 1:#x}; QEMU drops "
            "what it cannot write, and what it cannot read shows the device's old buffer"
        )
        return f"{note}\n{text}".strip()

    def _port_number(self, text: str) -> int:
        return parse_number(text, "root port", end=self._target.guest.machine.ports)

    def _address(self, text: str, alignment: int = 1) -> int:
        address = self._target.resolver.phys(text)
        if address % alignment:
            raise InputError(f"{text} is not aligned: expected a multiple of {alignment}")
        return address


def _said(device: Rogue) -> str:
    return f"{device.name} is {device.bdf}"
