# SPDX-License-Identifier: Apache-2.0
"""Oracle: a call maintained every cache line that it handed over, and waited for it.

QEMU has no caches, so what is missing changes no byte; the firmware logs what the kernel does
(harness/machine/fence/cache_log.py). For a device that is not coherent, Linux cleans what the CPU
wrote before the device reads it, and invalidates what the device wrote before the CPU reads it
(arch/arm64/mm/dma-mapping.c, 6.1 to 7.3), always in the memory that the device uses: the pool.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from operator import itemgetter

from harness.base.address_range import AddressRange, joined
from harness.base.violation import Violation
from harness.machine.fence import CacheOperation


class Duty(Enum):
    """What a call must do with each line that it hands over."""

    CLEAN = "cleaned"
    INVALIDATE = "invalidated"
    EITHER = "cleaned or invalidated"
    """Neither CPU nor device shall find it dirty: nothing of the CPU's is in it."""

    def done_by(self, operation: CacheOperation) -> bool:
        """Whether *operation* does it."""
        op = operation.op
        return (self is not Duty.INVALIDATE and op.cleans) or (
            self is not Duty.CLEAN and op.invalidates
        )


@dataclass(frozen=True)
class Handover:
    """What a *call*, such as ``dma_map_single()``, hands over: *ranges* of the pool.

    *contents*: by the address of a line, the hash that the log must have of it (CacheOperation):
    of a cleaned line, what is in memory after the call; of the original of an invalidated one, in
    the CPU's buffer, what was there before. So a copy on the wrong side shows.
    *completeness* are the properties of the barrier, *properties* of the rest.
    """

    call: str
    duty: Duty
    ranges: tuple[AddressRange, ...]
    line_size: int
    contents: Mapping[int, int]
    properties: tuple[str, ...]
    completeness: tuple[str, ...]

    @property
    def lines(self) -> tuple[int, ...]:
        """The addresses of all lines that have a byte of the ranges."""
        return tuple(sorted({line for one in self.ranges for line in lines(one, self.line_size)}))


def lines(place: AddressRange, size: int) -> range:
    """The addresses of all lines of *size* bytes that have a byte of *place*."""
    return range(place.base // size * size, place.end, size)


def neglected(
    handover: Handover, operations: Sequence[CacheOperation], pool: AddressRange
) -> Iterator[Violation]:
    """Each duty of *handover* that the logged *operations* of its call do not do."""
    of_line: dict[int, list[CacheOperation]] = {}
    for operation in operations:
        of_line.setdefault(operation.address, []).append(operation)
    wanted = handover.lines
    faults = {line: _fault(handover, line, of_line.get(line, [])) for line in wanted}
    if any(faults.values()):
        early = handover.completeness if TOO_LATE in faults.values() else ()
        yield Violation(
            (*handover.properties, *early),
            f"{handover.call} left cache lines of the pool that must be {handover.duty.value}.",
            expected=_expected(handover),
            observed=_observed(handover, faults, _elsewhere(operations, handover, pool)),
        )
    late = {
        line: "" if faults[line] or _is_awaited(handover, of_line[line]) else UNAWAITED
        for line in wanted
    }
    if any(late.values()):
        yield Violation(
            handover.completeness,
            f"{handover.call} returned before its cache operations were completed.",
            expected=f"dsb sy after each of {len(wanted)} cache operations",
            observed=_observed(handover, late, ""),
        )
    lost = {line for line, done in of_line.items() if any(map(_discards, done))} - set(wanted)
    stray = [line for line in sorted(lost) if pool.contains(line)]
    if stray:
        yield Violation(
            handover.properties,
            f"{handover.call} discarded what the CPU wrote to lines that it does not hand over.",
            expected=_expected(handover),
            observed=f"also invalidated: {_shown(stray, handover.line_size)}",
        )


def maintained(
    operations: Iterable[CacheOperation], line_size: int, pool: AddressRange
) -> tuple[AddressRange, ...]:
    """The ranges of the pool that *operations* cleaned or invalidated."""
    return _ranges({one.address for one in operations if pool.contains(one.address)}, line_size)


UNAWAITED = "the call did not wait for (dsb sy)"

TOO_LATE = "copied to the CPU's buffer before their invalidation was completed"
"""It came after the copy, or was not waited for: the log does not tell which."""


def _fault(handover: Handover, line: int, done: Sequence[CacheOperation]) -> str:
    """What is wrong with a line; empty if nothing is."""
    right = [one for one in done if handover.duty.done_by(one)]
    if not done:
        return "untouched"
    if not right:
        return f"only {_words(done)}"
    if handover.duty is Duty.CLEAN and not done[0].op.cleans:
        return "invalidated before they were cleaned"
    content = handover.contents.get(line)
    if content is not None and all(one.content != content for one in right):
        if handover.duty is Duty.INVALIDATE:
            return TOO_LATE
        return "cleaned before the copy was in them"
    return ""


def _is_awaited(handover: Handover, done: Sequence[CacheOperation]) -> bool:
    return any(one.completed and handover.duty.done_by(one) for one in done)


def _words(done: Sequence[CacheOperation]) -> str:
    return "cleaned" if all(one.op.cleans for one in done) else "invalidated"


def _discards(operation: CacheOperation) -> bool:
    return operation.op.invalidates and not operation.op.cleans


def _expected(handover: Handover) -> str:
    count, places = len(handover.lines), ", ".join(map(str, handover.ranges))
    return f"{count} lines of {handover.line_size} bytes {handover.duty.value}: {places}"


def _observed(handover: Handover, faults: Mapping[int, str], elsewhere: str) -> str:
    """The faults, each with the lines that have it."""
    found = sorted((fault, line) for line, fault in faults.items() if fault)
    texts = []
    for fault, group in groupby(found, key=itemgetter(0)):
        some = [line for _, line in group]
        size = handover.line_size
        texts.append(f"{len(some)} of {len(faults)} lines {fault}: {_shown(some, size)}")
    return "; ".join([*texts, *([elsewhere] if elsewhere else [])])


def _elsewhere(operations: Sequence[CacheOperation], handover: Handover, pool: AddressRange) -> str:
    """What was maintained outside the pool, such as the CPU's buffer."""
    outside = {one.address for one in operations if not pool.contains(one.address)}
    if not outside:
        return ""
    return f"outside the pool, maintained: {_shown(sorted(outside), handover.line_size)}"


SHOWN = 4
"""Ranges that a violation names."""


def _shown(some: Sequence[int], line_size: int) -> str:
    ranges = _ranges(set(some), line_size)
    more = f" and {len(ranges) - SHOWN} more" if len(ranges) > SHOWN else ""
    return ", ".join(map(str, ranges[:SHOWN])) + more


def _ranges(some: set[int], line_size: int) -> tuple[AddressRange, ...]:
    return joined(AddressRange(line, line_size) for line in some)
