# SPDX-License-Identifier: Apache-2.0
"""The answers about sizes: a table with a row a device, then what is known of each."""

from collections.abc import Iterator, Sequence

from rich.table import Column, Table

from harness.base.space import KIB, MIB, size_text
from harness.jobs.size.answers import Ending, Level, Sizing, Trial, slots_of
from harness.kernel import SLOT

HEADS = ("bound", "peak", "largest mapping", "ends", "no errors", "full speed")

NONE = "-"


def size_table(found: Sequence[Sizing]) -> Table:
    """One row a device: slots, and the smallest pools."""
    table = Table("device", *(Column(head, justify="right") for head in HEADS), "below")
    for one in found:
        table.add_row(one.device, *_cells(one))
    return table


def _cells(one: Sizing) -> tuple[str, ...]:
    if one.ample is None:
        return (*[NONE] * len(HEADS), one.reason)
    ample, smallest = one.ample, one.smallest or {}
    sizes = [smallest.get(level) for level in (Level.ENDS, Level.NO_ERRORS, Level.FULL_SPEED)]
    worst = one.below[-1] if one.below else None
    return (
        str(ample.bound),
        _peak(ample),
        size_text(ample.largest) if ample.largest else NONE,
        *(pool_text(size) if size else NONE for size in sizes),
        _short(one, worst) if worst else ("" if one.smallest else _short(one, ample)),
    )


def pool_text(size: int) -> str:
    """The size of a pool, which may be a part of a MiB: ``1.25 MiB``."""
    return f"{size / MIB:g} MiB" if size >= MIB else f"{size // KIB} KiB"


def size_details(found: Sequence[Sizing]) -> str:
    """All that is known of each device, in paragraphs."""
    return "\n".join(line for one in found if one.ample for line in ("", *_paragraph(one)))


def _paragraph(one: Sizing) -> Iterator[str]:
    assert one.ample is not None
    yield f"{one.device} (driver {one.driver})"
    yield f"  workload    {one.workload}"
    yield f"  pool        {_seen(one, one.ample)}"
    yield from _holders(one.ample)
    for trial in one.below:
        yield f"  pool        {_seen(one, trial)}"
        yield from (f"  kernel      {line}" for line in trial.said[:1])
        yield from _holders(trial)


def _seen(one: Sizing, trial: Trial) -> str:
    """What happened in a pool: its end, and what that cost."""
    words = [f"{pool_text(trial.size)}: {_short(one, trial)}"]
    if trial.detail:
        words.append(trial.detail)
    words.append(f"peak {_peak(trial)} of {slots_of(trial.size)} slots")
    if trial.waits is not None and trial.outcome is Ending.WORKS:
        words.append(f"waits {trial.waits} times for {size_text(trial.moved)}")
    return "; ".join(words)


def _short(one: Sizing, trial: Trial) -> str:
    said = trial.outcome.value
    if trial.outcome is Ending.WORKS and trial.refused:
        said = "works, mappings refused"
    finding = one.finding(trial)
    return f"{said} ({finding})" if finding else said


def _peak(trial: Trial) -> str:
    return str(trial.peak) if trial.exact else f">= {trial.peak}"


def _holders(trial: Trial) -> Iterator[str]:
    """Who had the slots when a mapping was refused, or at the peak, or else at the end."""
    at_peak = sum(one.slots for one in trial.holders) == trial.peak
    name = "when full" if trial.refused else "at peak" if at_peak else "at the end"
    for one in trial.holders:
        kind = "coherent" if one.coherent else "mapped"
        many = f"{one.mappings} x " if one.mappings > 1 else ""
        size = size_text(one.slots * SLOT)
        who = " <- ".join(f"{name}()" for name in one.callers) or "an unknown function"
        slots = "slot" if one.slots == 1 else "slots"
        yield f"  {name:12}{one.slots} {slots} ({size}): {many}{kind} by {who}"
        name = ""
