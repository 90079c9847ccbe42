# SPDX-License-Identifier: Apache-2.0
"""From what was seen to a result, for the usual kinds of attack."""

from harness.base.errors import ProtocolError
from harness.devices.attacks.attack import Outcome, Result
from harness.devices.attacks.scene import Scene

SHOWN = 16
"""Bytes that artifacts shows."""


def theft(scene: Scene, address: int, secret: bytes, what: str) -> Result:
    """The rogue reads *secret* at *address*: it has it or not."""
    seen = scene.rogue.read(address, len(secret))
    if seen != secret:
        return Result(Outcome.STOPPED, f"{what} at {address:#x} reads as {seen[:SHOWN].hex()}")
    outcome = Outcome.CONTAINED if scene.in_pool(address) else Outcome.SUCCEEDED
    return Result(outcome, f"{what} at {address:#x} was read: {seen[:SHOWN].hex()}")


def damage(scene: Scene, address: int, data: bytes, happened: bool, effect: str) -> Result:
    """The rogue wrote *data* at *address*; *effect* is what the guest shows, if it *happened*.

    Raises ProtocolError when the bytes are there and nothing came of them: a bad attack.
    """
    if happened:
        return Result(Outcome.SUCCEEDED, effect)
    arrived = scene.memory.read(address, len(data)) == data
    if arrived and scene.in_pool(address):
        return Result(Outcome.CONTAINED, f"the write reached the pool at {address:#x}; {effect}")
    if arrived:
        raise ProtocolError(f"memory at {address:#x} was changed, and to no effect: {effect}")
    return Result(Outcome.STOPPED, f"nothing arrived at {address:#x}; {effect}")
