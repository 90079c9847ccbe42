# SPDX-License-Identifier: Apache-2.0
"""The forms of the shell's ``rogue`` command."""

from harness.base.errors import InputError
from harness.devices.rogue import EduRogue, NvmeRogue, Rogue, rogue_kinds
from harness.machine.layout import RAM_BASE
from harness.machine.qemu.guest import Guest
from harness.shell.words import (
    ADDRESS_END,
    LARGEST,
    hex_dump,
    parse_bytes,
    parse_number,
    parse_range,
)

MSI_SIZE = 4
MSI_END = 1 << 16
"""An MSI writes four bytes, of which the device's data register gives 16 bits (PCI 3.0, 6.8.1)."""


DEFAULT_KIND = "edu"


class RogueControl:
    """Controls a rogue device; the first command plugs it."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._plugged: dict[int, tuple[str, Rogue]] = {}
        self._port: int | None = None

    def drive(self, words: list[str]) -> bool:
        """Run a ``rogue`` command; return False if it has another form.

        Raises InputError for invalid numbers and bytes before anything is done.
        """
        match words:
            case ["plug"]:
                self._plug(0, DEFAULT_KIND)
            case ["plug", port]:
                number = parse_number(port, "root port", end=self._guest.machine.ports)
                self._plug(number, self._plugged.get(number, (DEFAULT_KIND,))[0])
            case ["plug", port, kind]:
                number = parse_number(port, "root port", end=self._guest.machine.ports)
                self._plug(number, kind)
            case ["unplug"]:
                self._unplug()
            case ["read", address, size]:
                self._read(*parse_range(address, size, largest=LARGEST))
            case ["write", address, *data] if data:
                self._write(_address(address), parse_bytes(" ".join(data)))
            case ["msi", address, value]:
                number = parse_number(value, "MSI value", end=MSI_END)
                self._forge_msi(_address(address, alignment=MSI_SIZE), number)
            case ["master", ("on" | "off") as state]:
                self._set_bus_master(state == "on")
            case _:
                return False
        return True

    def _plug(self, port: int, kind: str) -> Rogue:
        """Select the device in *port*, a *kind*; plug it if the port is empty."""
        if kind not in rogue_kinds():
            raise InputError(f"unknown rogue '{kind}': expected one of {', '.join(rogue_kinds())}")
        there = self._plugged.get(port, (kind,))[0]
        if there != kind:
            raise InputError(f"root port {port} has {there}: remove it with 'rogue unplug'")
        if port not in self._plugged:
            self._plugged[port] = kind, rogue_kinds()[kind].plug(self._guest, port)
        self._port = port
        device = self._plugged[port][1]
        print(f"{device.name} is {device.bdf}")
        return device

    def _unplug(self) -> None:
        if self._port is None:
            raise InputError("no rogue is plugged in: plug one with 'rogue plug'")
        _, device = self._plugged.pop(self._port)
        self._port = None
        device.detach()

    def _hand(self) -> Rogue:
        return self._plug(0, DEFAULT_KIND) if self._port is None else self._plugged[self._port][1]

    def _set_bus_master(self, on: bool) -> None:
        device = self._hand()
        if not isinstance(device, EduRogue | NvmeRogue):
            raise InputError(
                f"{device.name} maps the memory itself: it does not depend on bus mastering"
            )
        device.set_bus_master(on)

    def _read(self, address: int, size: int) -> None:
        self._warn_outside(address, size)
        print(hex_dump(address, self._hand().read(address, size)))

    def _write(self, address: int, data: bytes) -> None:
        self._warn_outside(address, len(data))
        self._hand().write(address, data)

    def _forge_msi(self, address: int, value: int) -> None:
        device = self._hand()
        if not isinstance(device, EduRogue):
            raise InputError(f"{device.name} cannot forge an MSI: expected an edu")
        self._warn_outside(address, MSI_SIZE)
        device.forge_msi(address, value)

    def _warn_outside(self, address: int, size: int) -> None:
        end = RAM_BASE + self._guest.machine.ram_size
        if address < RAM_BASE or address + size > end:
            print(
                f"note: not all of that is RAM, which is {RAM_BASE:#x} to {end - 1:#x}; QEMU drops "
                "what it cannot write, and what it cannot read shows the device's old buffer"
            )


def _address(text: str, alignment: int = 1) -> int:
    address = parse_number(text, "address", end=ADDRESS_END)
    if address % alignment:
        raise InputError(f"{text} is not aligned: expected a multiple of {alignment}")
    return address
