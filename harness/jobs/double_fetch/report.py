# SPDX-License-Identifier: Apache-2.0
"""Report of double fetches by function and line, as text and as JSON."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.jobs.double_fetch.analyse import DoubleFetch, Reader
from harness.jobs.double_fetch.places import CodePlaces
from harness.kernel.code import CodePlace

MOST_RANGES = 3
"""Ranges of addresses that the text names of one double fetch."""


@dataclass(frozen=True)
class LocatedReader:
    """A reader: its place in the code, and the copying function that it called to read, if it did.

    *driver* is the place of the call of the DMA API that had it copied, None if it was not for
    that; *pc* is in hexadecimal.
    """

    place: CodePlace
    helper: str
    driver: CodePlace | None
    pc: str = field(compare=False)

    def __str__(self) -> str:
        helper = f", by {self.helper}" if self.helper else ""
        return f"{self.place}{helper}" + (f", for {self.driver}" if self.driver else "")


@dataclass
class LocatedDoubleFetch:
    """A double fetch by function and line: who reads or has *stored*, and who reads again.

    *ranges* are guest-physical bases and sizes, *operations* the requests in which it was
    seen, *times* how often in all. *poll*: it is one place that reads the same again.
    """

    first: LocatedReader
    second: LocatedReader
    stored: bool
    poll: bool
    ranges: set[tuple[int, int]] = field(default_factory=set)
    operations: list[str] = field(default_factory=list)
    times: int = 0

    def lines(self) -> Iterator[str]:
        """The lines of text."""
        ranges = [f"{size} bytes at {base:#x}" for base, size in sorted(self.ranges)]
        more = f" and {len(ranges) - MOST_RANGES} more" if len(ranges) > MOST_RANGES else ""
        times = "once" if self.times == 1 else f"{self.times} times"
        yield f"  {', '.join(ranges[:MOST_RANGES])}{more}, {times} in: {', '.join(self.operations)}"
        yield f"    {'stored    ' if self.stored else 'read      '} {self.first}"
        again = "read back " if self.stored else "read again"
        yield f"    {again} {'by the same' if self.poll else self.second}"


@dataclass
class DriverReport:
    """One driver: its requests with their number of accesses, and *found*; *fault*: why not."""

    driver: str
    accesses: dict[str, int] = field(default_factory=dict)
    found: list[LocatedDoubleFetch] = field(default_factory=list)
    fault: str = ""

    def add(self, operation: str, doubles: tuple[DoubleFetch, ...], places: CodePlaces) -> None:
        """Add what was found in *operation*; what is at the same lines is one."""
        for double in doubles:
            first, second = _locate(double.first, places), _locate(double.second, places)
            located = self._located(first, second, double.stored)
            located.ranges.update((one.base, one.size) for one in double.ranges())
            located.times += double.times
            if operation not in located.operations:
                located.operations.append(operation)

    def lines(self) -> Iterator[str]:
        """The lines of text."""
        if self.fault:
            yield f"{self.driver}: not measured: {self.fault}"
            return
        counts = ", ".join(f"{name}: {count}" for name, count in self.accesses.items())
        stored = sum(one.stored for one in self.found)
        kinds = f"read twice: {len(self.found) - stored}, read back: {stored}"
        yield f"{self.driver}: {kinds}; accesses to the pool: {counts}"
        for one in self.found:
            yield from one.lines()

    def _located(
        self, first: LocatedReader, second: LocatedReader, stored: bool
    ) -> LocatedDoubleFetch:
        for one in self.found:
            if (one.first, one.second, one.stored) == (first, second, stored):
                return one
        self.found.append(LocatedDoubleFetch(first, second, stored, first == second))
        return self.found[-1]


@dataclass(frozen=True)
class DoubleFetchReport:
    """A whole run."""

    kernel: str
    qemu: str
    drivers: tuple[DriverReport, ...]

    def text(self) -> str:
        """The report as text."""
        lines = [f"Linux {self.kernel}, {self.qemu}"]
        for driver in self.drivers:
            lines += driver.lines()
        return "\n".join(lines)

    def save(self, file: Path) -> None:
        """Write it as JSON."""
        file.write_text(json.dumps(asdict(self), indent=1, default=sorted) + "\n")


def _locate(reader: Reader, places: CodePlaces) -> LocatedReader:
    driver = places.at(reader.driver) if reader.driver else None
    return LocatedReader(places.at(reader.pc), reader.helper, driver, f"{reader.pc:#x}")
