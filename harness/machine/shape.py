# SPDX-License-Identifier: Apache-2.0
"""Shapes of machines by name: the devicetree with its pools, and the RAM size."""

from collections.abc import Mapping
from pathlib import Path

from harness.base.errors import InputError
from harness.base.space import GIB, MIB, parse_size
from harness.machine.binary import Qemu
from harness.machine.devicetree import Devicetree, Placement, base_blob, compose
from harness.machine.devicetree.compose import AS_WRITTEN
from harness.machine.devicetree.flat import read_blob
from harness.machine.devicetree.overlay import is_file
from harness.machine.devicetree.qemu import HOST_BRIDGE
from harness.machine.layout import LARGEST_RAM
from harness.machine.machine import board_arguments

ALWAYS = ("rogue-scratch", "probes")
"""Overlays of every machine: the rogue's scratch memory, two platform devices for the probe."""

NO_POOL = "no-pool"
"""The shape of a machine without any pool: the control."""

DEFAULT_SHAPE = "pool-shared"

ODD = "odd/"
"""Shapes with contradictory, damaged, or unusual devicetrees."""

SMALLEST_RAM = 256 * MIB
"""The overlays put their pools at the end of 256 MiB."""


def parse_ram_size(text: str) -> int:
    """Read a memory size: a number of MiB, or one with the unit M or G; result in bytes.

    Raises InputError for anything else, for less than the 256 MiB that the overlays need, and for
    more than 9 GiB.
    """
    size = parse_size(text, bare=MIB)
    if size is None or size % MIB:
        raise InputError(f"--machine-memory={text}: expected a size such as 256M or 1G")
    if size < SMALLEST_RAM:
        raise InputError(f"--machine-memory={text}: the pools of dts/ lie below 256M; give more")
    if size > LARGEST_RAM:
        raise InputError(f"--machine-memory={text}: at most {LARGEST_RAM // GIB}G")
    return size


def shaped_devicetree(
    qemu: Qemu,
    shape: str | Path,
    *,
    ram_size: int,
    cpus: int = 1,
    board: str = "",
    more: tuple[str, ...] = (),
    placements: Mapping[str, Placement] = AS_WRITTEN,
) -> Devicetree:
    """The devicetree of a machine of *shape*: an overlay's file or name in dts/, or ``no-pool``.

    *board* are options of the board that change its devicetree, *more* further overlays.
    *placements* move pools by their label in the overlay. A file, and shapes in dts/odd/, may be
    impossible: the kernel shall say so. For others raises DevicetreeError as compose does.
    """
    base = base_blob(qemu.path, board_arguments(cpus, ram_size, board))
    overlays = (*ALWAYS, *more, *(() if shape == NO_POOL else (shape,)))
    odd = is_file(shape) or str(shape).startswith(ODD)
    return compose(base, overlays, pools=placements, allow_invalid=odd)


def root_ports(devicetree: Devicetree) -> int:
    """The root ports that the nodes of *devicetree* are for, by the highest slot; 0 if none are."""
    bridge = read_blob(devicetree.blob).find(HOST_BRIDGE)
    slots = (node.cell("reg", 0) >> 11 & 0x1F for node in (bridge.children if bridge else ()))
    return max(slots, default=0)
