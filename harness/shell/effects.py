# SPDX-License-Identifier: Apache-2.0
"""What a driver's call does to a machine: to slots, to buffers, to the properties."""

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from harness.base.errors import HarnessError
from harness.base.violation import Violation
from harness.devices.oracles import NO_BASELINE, inspect
from harness.devices.probe import Held, Space
from harness.kernel import SLOT
from harness.observe.memory import DEFAULT_POOL, Slot, device_pool, slots_in_use
from harness.observe.memory.names import pools_in_order
from harness.observe.memory.places import explain
from harness.shell.target import Target
from harness.shell.words import LARGEST

MOST_SLOTS = 8
"""Slots that are told of one call."""

MOST_COMPARED = 256
"""Slots whose content is compared."""


@dataclass(frozen=True)
class MachineState:
    """The slots in use by name, and the content of buffers and slots by name, with its address."""

    slots: dict[str, Slot]
    contents: dict[str, tuple[int, bytes]]


def state_of(target: Target) -> MachineState:
    """The state now: the slots of all pools, and the probe's buffers unless a recording plays."""
    slots = {
        f"slot {slot.index} of {pool.name}": slot
        for pool in pools_in_order(target.types)
        for slot in slots_in_use(target.types, pool)
    }
    recorded = target.guest.machine.recorded
    buffers = () if recorded else target.probe.live(Space.BUFFER)
    places = {f"buffer:{one.handle}": (one.dma_addr, min(one.size, LARGEST)) for one in buffers}
    places |= {name: (slot.phys, SLOT) for name, slot in list(slots.items())[:MOST_COMPARED]}
    return MachineState(slots, dict(_contents(target, places)))


def _contents(
    target: Target, places: dict[str, tuple[int, int]]
) -> Iterator[tuple[str, tuple[int, bytes]]]:
    for name, (phys, size) in places.items():
        with contextlib.suppress(HarnessError):  # a pool may lie outside RAM
            yield name, (phys, target.memory.read(phys, size))


def effects_of(target: Target, text: str, before: MachineState, now: MachineState) -> list[str]:
    """What the addresses in a call are, which slots it took and gave back, and what it wrote."""
    taken = [name for name in now.slots if name not in before.slots]
    given = [name for name in before.slots if name not in now.slots]
    lines = list(explain(target.places, [text]))
    lines += [f"takes {', '.join(taken[:MOST_SLOTS])}"] if taken else []
    lines += [f"gives back {', '.join(given[:MOST_SLOTS])}"] if given else []
    return lines + list(_written(before, now))[:MOST_SLOTS]


def _written(before: MachineState, now: MachineState) -> Iterator[str]:
    """A line for each buffer and slot whose content has changed."""
    for name, (phys, new) in now.contents.items():
        if before.contents.get(name, (0, b""))[0] != phys:
            continue
        old = before.contents[name][1]
        changed = [at for at in range(min(len(old), len(new))) if old[at] != new[at]]
        if changed:
            at = changed[0]
            yield (
                f"changes {len(changed)} of {len(new)} bytes of {name}, first at "
                f"{phys + at:#x}: {old[at]:02x} -> {new[at]:02x}"
            )


def violations(target: Target) -> list[Violation]:
    """What the oracles see twice, and mappings outside their pool.

    The machine is not stopped meanwhile, which would look like a stop of the debugger's; one look
    may fall into the middle of another driver's call.
    """
    return _look(target) and _look(target)


def _look(target: Target) -> list[Violation]:
    held = target.probe.held()
    names = {one.id: one.name for one in target.probe.devices()}
    return [*_outside(target, held, names), *inspect(target.types, held, NO_BASELINE)]


def _outside(target: Target, held: Iterable[Held], names: Mapping[int, str]) -> Iterator[Violation]:
    """Mappings and allocations in RAM but not in the restricted pool of their device."""
    for one in held:
        if one.space is Space.BUFFER or one.leaked or one.device not in names:
            continue
        pool = device_pool(target.types, names[one.device])
        if pool is None or pool.name == DEFAULT_POOL or pool.contains(one.phys):
            continue
        if any(ram.contains(one.phys) for ram in target.memory.ranges):
            what = f"{one.space.name.lower()}:{one.handle} of {names[one.device]}"
            yield Violation(("B1",), f"{what} is at {one.phys:#x}, outside {pool.name}")


def new_ones(seen: Iterable[Violation], known: set[str]) -> list[Violation]:
    """The violations of *seen* that are not *known* by their summaries; they are from now on."""
    found = [one for one in seen if one.summary not in known]
    known.update(one.summary for one in found)
    return found
