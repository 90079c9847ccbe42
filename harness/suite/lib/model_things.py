# SPDX-License-Identifier: Apache-2.0
"""What the driver of the reference model works with: devices, and what is live of theirs."""

from dataclasses import dataclass

from harness.devices.probe import Device
from harness.devices.probe.model import Bounce, PoolModel, UsedMemory
from harness.devices.probe.model_slots import SET, SLOT, AddressRules

BUFFER = 512 * 1024
"""Bytes of the CPU's buffer; as a power of two its address is a multiple of it."""

LARGEST = SET * SLOT
"""Bytes of the largest mapping."""


DEFAULT, UNKNOWN = AddressRules(), AddressRules(-1, -1)
"""What the kernel says of a device that asked for nothing, and what nobody knows of a used one."""


@dataclass(eq=False)
class Target:
    """A device that calls are made for, by its name in scripts, and the pool it must use."""

    name: str
    device: Device
    pool: PoolModel
    rules: AddressRules


@dataclass(frozen=True, eq=False)
class LiveMapping:
    """A live mapping: one piece, or those of a scatterlist."""

    name: str
    handle: int
    target: Target
    bounces: tuple[Bounce, ...]
    scattered: bool = False


@dataclass(frozen=True, eq=False)
class LiveAllocation:
    """Memory that the DMA API has allocated."""

    name: str
    handle: int
    target: Target
    held: UsedMemory
