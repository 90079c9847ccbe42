# SPDX-License-Identifier: Apache-2.0
"""Judge the usual attacks by what was seen: a theft of bytes, a damage to memory."""

from harness.base.errors import ProtocolError
from harness.devices.attacks.attack import Effect, Observation
from harness.devices.attacks.context import Context

SHOWN = 16
"""Bytes that an observation shows."""


def theft(context: Context, address: int, secret: bytes, what: str) -> Observation:
    """Have the rogue read at *address*, where *secret* is, and judge what it got."""
    seen = context.rogue.read(address, len(secret))
    if seen != secret:
        return Observation(Effect.STOPPED, f"{what} at {address:#x} reads as {seen[:SHOWN].hex()}")
    effect = Effect.CONTAINED if context.in_pool(address) else Effect.SUCCEEDED
    return Observation(effect, f"{what} at {address:#x} was read: {seen[:SHOWN].hex()}")


def damage(context: Context, address: int, data: bytes, happened: bool, shown: str) -> Observation:
    """Judge a write of *data* at *address*: the guest shows *shown*; *happened* if that is damage.

    Raises ProtocolError when the bytes arrived outside the pool without damage: a bad attack.
    """
    if happened:
        return Observation(Effect.SUCCEEDED, shown)
    arrived = context.memory.read(address, len(data)) == data
    if arrived and context.in_pool(address):
        return Observation(Effect.CONTAINED, f"the write reached the pool at {address:#x}; {shown}")
    if arrived:
        raise ProtocolError(f"memory at {address:#x} was changed without any damage: {shown}")
    return Observation(Effect.STOPPED, f"nothing arrived at {address:#x}; {shown}")
