# SPDX-License-Identifier: Apache-2.0
"""Fill pools: many calls of a driver in one transfer."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from harness.devices.probe import calls
from harness.devices.probe.answers import Allocated, Mapped
from harness.devices.probe.batch import Batch
from harness.devices.probe.buffer import Buffer
from harness.devices.probe.calls import Call
from harness.devices.probe.device import Device
from harness.devices.probe.values import AllocCall, Attr, Direction, DmaError
from harness.devices.probe.wire import MapCall, Space
from harness.kernel import SLOT

T = TypeVar("T")


def fill(
    device: Device, buffer: Buffer, size: int, attempts: int, offset: int = 0
) -> dict[int, Mapped]:
    """Try to map *buffer* *attempts* times in one transfer; returns the mappings by handle."""
    return _make(
        device,
        Space.MAPPING,
        attempts,
        lambda handle: calls.map_buffer(
            handle,
            device.id,
            MapCall.SINGLE,
            buffer.handle,
            offset,
            size,
            Direction.TO_DEVICE,
            Attr.NO_WARN,
        ),
    )


def fill_up(device: Device, buffer: Buffer) -> dict[int, Mapped]:
    """Map *buffer*, of a slot set, in ever smaller pieces until the pool has no free slot."""
    mapped: dict[int, Mapped] = {}
    size = buffer.size
    while size >= SLOT:
        more = fill(device, buffer, size, attempts=128)
        mapped |= more
        if len(more) < 128:
            size //= 2
    return mapped


def allocate(
    device: Device, size: int, attempts: int, call: AllocCall = AllocCall.COHERENT
) -> dict[int, Allocated]:
    """Try to allocate *attempts* times in one transfer; returns the allocations by handle."""
    return _make(
        device,
        Space.ALLOCATION,
        attempts,
        lambda handle: calls.alloc(handle, device.id, call, size),
    )


def unmap(device: Device, handles: Iterable[int]) -> None:
    """Unmap in this order, in one transfer."""
    with Batch(device.session) as batch:
        for handle in handles:
            batch.add(calls.unmap(handle))


def free(device: Device, handles: Iterable[int]) -> None:
    """Free in this order, in one transfer."""
    with Batch(device.session) as batch:
        for handle in handles:
            batch.add(calls.free(handle))


def _make(
    device: Device, space: Space, attempts: int, call: Callable[[int], Call[T]]
) -> dict[int, T]:
    handles = [device.session.take_handle(space) for _ in range(attempts)]
    with Batch(device.session) as batch:
        tried = {handle: batch.add(call(handle)) for handle in handles}
    outcomes = {handle: pending.outcome for handle, pending in tried.items()}
    return {handle: one for handle, one in outcomes.items() if not isinstance(one, DmaError)}
