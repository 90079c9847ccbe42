# SPDX-License-Identifier: Apache-2.0
"""Fence: what to add to a machine, and what must stay unchanged while the guest runs."""

from dataclasses import dataclass, field
from typing import Literal

from harness.base.address_range import AddressRange
from harness.base.cache import digest
from harness.base.hex_repr import hex_repr

SCRATCH = AddressRange(0x47FF_0000, 0x1_0000)
"""The harness's own RAM (dts/rogue-scratch.dtso), which every rogue may access: ``edu`` and
``nvme`` need it. The kernel never maps it."""


@hex_repr
@dataclass(frozen=True)
class Register:
    """A device register of *width* 1, 2, 4 or 8 bytes, and its value."""

    address: int
    width: int
    value: int


@hex_repr
@dataclass(frozen=True)
class Constant:
    """Bytes at a guest-physical address, such as tables in flash."""

    address: int
    content: bytes = field(repr=False)


@dataclass(frozen=True)
class Firmware:
    """Firmware in flash bank 0, which runs first and starts the kernel instead of QEMU.

    It expects *kernel*, *initrd* and *devicetree* at these addresses. *hidden* is the RAM that it
    keeps for itself, *log* the part of that with its records (firmware_log.py), *cache_log* the
    one with the kernel's cache maintenance (cache_log.py), if it logs that.
    """

    kernel: int
    initrd: int
    devicetree: int
    hidden: AddressRange
    log: AddressRange
    cache_log: AddressRange | None = None


@dataclass(frozen=True)
class Fence:
    """A fence as data. *windows* are the address ranges that devices may access, ascending.

    *board* is added to QEMU's machine options, *visible_board* is the part that the devicetree
    shows, *overlays* are added to the devicetree. *flash* is the content of the read-only NOR
    flash banks by number, each at most 64 MiB. *setup* is written, in order, before the kernel's
    first instruction; *standing* are the registers and *constants* the memory
    with their values while the fence is intact. *firmware*, if any, starts the kernel.
    """

    name: str
    windows: tuple[AddressRange, ...]
    board: str = ""
    visible_board: str = ""
    overlays: tuple[str, ...] = ()
    flash: tuple[tuple[int, bytes], ...] = field(default=(), repr=False)
    setup: tuple[Register, ...] = ()
    standing: tuple[Register, ...] = ()
    constants: tuple[Constant, ...] = ()
    firmware: Firmware | None = None

    @property
    def key(self) -> str:
        """A hash of the content."""
        banks = (part for number, image in self.flash for part in (str(number), image))
        return digest(self.name, repr(self), *banks)


@hex_repr
@dataclass(frozen=True)
class Refusal:
    """An access that a fence refused.

    *device* is a BDF as Linux prints it, or the name of a rogue; *address* is
    guest-physical; *time* in seconds since the epoch; *access* is ``"?"`` if QEMU does not say.
    """

    device: str
    address: int
    access: Literal["read", "write", "?"]
    time: float

    def __str__(self) -> str:
        return f"{self.device} {self.access} {self.address:#x} refused at {self.time:.6f}"
