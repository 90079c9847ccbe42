# SPDX-License-Identifier: Apache-2.0
"""Go back to an earlier state of the machine, and see what has changed since."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.base.errors import InputError
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.rundir import RunDirectory
from harness.machine.qemu.snapshot import Snapshot, park_running, restore
from harness.observe.memory import Slot, slots_in_use
from harness.observe.memory.names import pools_in_order
from harness.shell.answer import Answer, Hex, table
from harness.shell.command import Argument, Command, Needs, WrongForm
from harness.shell.debugger import Debugger
from harness.shell.replay import Replay
from harness.shell.target import Target
from harness.shell.words import LARGEST, parse_number

DEFAULT_SIZE = 2048
"""Bytes that ``mark`` remembers of an address: a slot."""

SHOWN = 64
"""Most changed rows of memory that ``diff`` shows."""

ROW = 16


@dataclass
class Snapshots:
    """Parked states of the machine by name, in a run directory that goes with the session."""

    lasting = True
    _run: RunDirectory = field(default_factory=RunDirectory.make)
    made: dict[str, Snapshot] = field(default_factory=dict)
    calls: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The driver's calls up to there."""
    replays: dict[str, Replay | None] = field(default_factory=dict)
    """The calls of a failed test, some of them made."""

    def place(self, name: str) -> Path:
        """A new directory for a snapshot *name*."""
        directory = self._run.path / f"snapshot-{len(self.made)}"
        directory.mkdir()
        self.made.pop(name, None)
        return directory

    def close(self) -> None:
        """Remove them."""
        self._run.remove()


@dataclass
class Marks:
    """What ``mark`` remembered: the slots in use by pool and index, and bytes by address.

    *slots* is None before the first ``mark`` without an address.
    """

    lasting = True
    slots: dict[tuple[str, int], Slot] | None = None
    memory: dict[int, bytes] = field(default_factory=dict)


def take_snapshot(target: Target, words: list[str]) -> Answer:
    """Park the machine under a name, and go on."""
    if len(words) != 1:
        raise WrongForm
    target.part(Debugger, lambda: Debugger(target)).require_idle()
    plugged = _plugged(target.guest)
    if plugged:
        raise InputError(
            f"{', '.join(plugged)} is plugged in, and QEMU cannot save its state: unplug it first"
        )
    target.part(Debugger, lambda: Debugger(target)).close()
    kept = target.part(Snapshots, Snapshots)
    directory = kept.place(words[0])
    kept.calls[words[0]] = tuple(target.guest.agent.journal)
    replay = target.parts.get(Replay)
    kept.replays[words[0]] = replay.fork(target) if isinstance(replay, Replay) else None
    kept.made[words[0]] = park_running(target.guest, directory)
    target.guest.resume()
    return Answer(f"'back {words[0]}' returns to this moment")


def _plugged(guest: Guest) -> list[str]:
    """The ids of the devices in the root ports."""
    buses = guest.monitor.execute("query-pci")
    ports = (device["pci_bridge"] for bus in buses for device in bus["devices"] if _is_port(device))
    return [device["qdev_id"] for port in ports for device in port["devices"]]


def _is_port(device: dict[str, Any]) -> bool:
    return "devices" in device.get("pci_bridge", {})


def go_back(target: Target, words: list[str]) -> Answer:
    """Replace the machine by the one that was parked; works after the guest has ended."""
    if len(words) != 1:
        raise WrongForm
    kept = target.part(Snapshots, Snapshots)
    if words[0] not in kept.made:
        there = ", ".join(kept.made) or "none: 'snapshot NAME' makes one"
        raise InputError(f"no snapshot {words[0]!r}; there is {there}")
    guest = restore(kept.made[words[0]])
    target.replace(guest)
    for call in kept.calls[words[0]]:
        guest.agent.journal.append(call)
    replay = kept.replays[words[0]]
    if replay is not None:
        target.parts[Replay] = replay.fork(target)
    return Answer("the machine runs from there; breakpoints and rogues are gone")


def mark(target: Target, words: list[str]) -> Answer:
    """Remember the slots in use, or memory, for ``diff``."""
    marks = target.part(Marks, Marks)
    match words:
        case []:
            marks.slots = _slots(target)
            return Answer(f"{len(marks.slots)} slots in use are remembered")
        case [address, *size] if len(size) <= 1:
            count = parse_number(size[0], "size", least=1, end=LARGEST + 1) if size else None
            phys = target.resolver.phys(address)
            marks.memory[phys] = target.memory.read(phys, count or DEFAULT_SIZE)
            return Answer(f"{count or DEFAULT_SIZE} bytes at {phys:#x} are remembered")
        case _:
            raise WrongForm


def show_changes(target: Target, words: list[str]) -> Answer:
    """What has changed since ``mark``."""
    if words:
        raise WrongForm
    marks = target.part(Marks, Marks)
    rows = [] if marks.slots is None else _changed_slots(marks.slots, _slots(target))
    for phys, old in marks.memory.items():
        new = target.memory.read(phys, len(old))
        for at in range(0, len(old), ROW):
            was, changed = old[at : at + ROW], new[at : at + ROW]
            if was != changed:
                row = {"what": Hex(phys + at), "was": was.hex(" "), "is": changed.hex(" ")}
                rows.append(row)
    more = f"\n(and {len(rows) - SHOWN} more)" if len(rows) > SHOWN else ""
    answer = table(rows[:SHOWN], empty="nothing has changed")
    return Answer(answer.text + more, rows)


def _changed_slots(
    before: dict[tuple[str, int], Slot], now: dict[tuple[str, int], Slot]
) -> list[dict[str, object]]:
    return [
        {
            "what": f"slot {index} of {pool}",
            "was": _state(before.get((pool, index))),
            "is": _state(now.get((pool, index))),
        }
        for pool, index in sorted({*before, *now})
        if before.get((pool, index)) != now.get((pool, index))
    ]


def _slots(target: Target) -> dict[tuple[str, int], Slot]:
    return {
        (pool.name, slot.index): slot
        for pool in pools_in_order(target.types)
        for slot in slots_in_use(target.types, pool)
    }


def _state(slot: Slot | None) -> str:
    if slot is None:
        return "free"
    buffer = "no buffer" if slot.orig_addr is None else f"buffer {slot.orig_addr:#x}"
    return f"{buffer}, {slot.alloc_size} bytes"


COMMANDS = (
    Command(
        "snapshot",
        "Save the state of the whole machine under a name; no rogue may be plugged in.",
        ("NAME",),
        take_snapshot,
        ("snapshot before",),
        needs=Needs.RUNNING,
        arguments=(Argument.SNAPSHOT,),
    ),
    Command(
        "back",
        "Return to a snapshot, also after the guest has ended.",
        ("NAME",),
        go_back,
        ("back before",),
        needs=Needs.NOTHING,
        arguments=(Argument.SNAPSHOT,),
    ),
    Command(
        "mark",
        "Remember the slots in use, or SIZE bytes of memory, so that 'diff' shows what changes.",
        ("", "ADDRESS [SIZE]"),
        mark,
        ("mark", "mark buffer:0 4096"),
        arguments=(Argument.ADDRESS,),
    ),
    Command("diff", "Show what has changed since 'mark'.", ("",), show_changes, ("diff",)),
)
