# SPDX-License-Identifier: Apache-2.0
"""Devices, live mappings and live allocations of the reference model's driver."""

from dataclasses import dataclass

from harness.devices.probe import Device
from harness.devices.probe.model import Bounce, PoolModel, UsedMemory
from harness.devices.probe.model_slots import AddressRules

BUFFER = 512 * 1024
"""Bytes of the CPU's buffer; a power of two, so that its address is a multiple of it."""

LARGEST = BUFFER // 2
"""Bytes of the largest mapping that is tried."""


DEFAULT, UNKNOWN = AddressRules(), AddressRules(-1, -1)
"""The limits of a new device, and a value for a device whose limits are unknown."""


@dataclass(eq=False)
class Target:
    """A device by its name in scripts, and the pool that it must use."""

    name: str
    device: Device
    pool: PoolModel
    rules: AddressRules


@dataclass(frozen=True, eq=False)
class LiveMapping:
    """A live mapping: one range, or those of a scatterlist."""

    name: str
    handle: int
    target: Target
    bounces: tuple[Bounce, ...]
    scattered: bool = False


@dataclass(frozen=True, eq=False)
class LiveAllocation:
    """A live allocation of the DMA API."""

    name: str
    handle: int
    target: Target
    held: UsedMemory
