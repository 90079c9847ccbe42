# SPDX-License-Identifier: Apache-2.0
"""What was found, by function and line, as text for a person and as JSON for a program."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from harness.jobs.double_fetch.analyse import DoubleFetch, Reader
from harness.jobs.double_fetch.places import Place, Places

MOST_SPANS = 3
"""Ranges of addresses that the text names of one finding."""


@dataclass(frozen=True)
class Seen:
    """A reader: its place, and the copying function that it called to read, if it did.

    *driver* is the place of the call of the DMA API that had it copied, None if it was not for
    that; *pc* is in hexadecimal.
    """

    place: Place
    helper: str
    driver: Place | None
    pc: str = field(compare=False)

    def __str__(self) -> str:
        helper = f", by {self.helper}" if self.helper else ""
        return f"{self.place}{helper}" + (f", for {self.driver}" if self.driver else "")


@dataclass
class Finding:
    """A double fetch by function and line: who reads or has *stored*, who reads again, where, when.

    *spans* are guest-physical addresses and sizes, *operations* the requests in which it was
    seen, *times* how often in all. *poll*: it is one place that reads the same again.
    """

    first: Seen
    second: Seen
    stored: bool
    poll: bool
    spans: set[tuple[int, int]] = field(default_factory=set)
    operations: list[str] = field(default_factory=list)
    times: int = 0

    def lines(self) -> Iterator[str]:
        """It as text."""
        spans = [f"{size} bytes at {base:#x}" for base, size in sorted(self.spans)]
        more = f" and {len(spans) - MOST_SPANS} more" if len(spans) > MOST_SPANS else ""
        times = "once" if self.times == 1 else f"{self.times} times"
        yield f"  {', '.join(spans[:MOST_SPANS])}{more}, {times} in: {', '.join(self.operations)}"
        yield f"    {'stored    ' if self.stored else 'read      '} {self.first}"
        again = "read back " if self.stored else "read again"
        yield f"    {again} {'by the same' if self.poll else self.second}"


@dataclass
class DriverReport:
    """One driver: how many accesses its requests made, and its findings; *fault*: why none."""

    driver: str
    accesses: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    fault: str = ""

    def add(self, operation: str, doubles: tuple[DoubleFetch, ...], places: Places) -> None:
        """Add what was found in *operation*; what is at the same lines is one finding."""
        for double in doubles:
            first, second = _seen(double.first, places), _seen(double.second, places)
            finding = self._finding(first, second, double.stored)
            finding.spans.update(double.spans())
            finding.times += double.times
            if operation not in finding.operations:
                finding.operations.append(operation)

    def lines(self) -> Iterator[str]:
        """It as text."""
        if self.fault:
            yield f"{self.driver}: not watched: {self.fault}"
            return
        counts = ", ".join(f"{name}: {count}" for name, count in self.accesses.items())
        stored = sum(finding.stored for finding in self.findings)
        found = f"read twice: {len(self.findings) - stored}, read back: {stored}"
        yield f"{self.driver}: {found}; accesses to the pool: {counts}"
        for finding in self.findings:
            yield from finding.lines()

    def _finding(self, first: Seen, second: Seen, stored: bool) -> Finding:
        for finding in self.findings:
            if (finding.first, finding.second, finding.stored) == (first, second, stored):
                return finding
        self.findings.append(Finding(first, second, stored, first == second))
        return self.findings[-1]


@dataclass(frozen=True)
class Report:
    """A whole run."""

    kernel: str
    qemu: str
    drivers: tuple[DriverReport, ...]

    def text(self) -> str:
        """For a person."""
        lines = [f"Linux {self.kernel}, {self.qemu}"]
        for driver in self.drivers:
            lines += driver.lines()
        return "\n".join(lines)

    def save(self, file: Path) -> None:
        """Write it as JSON."""
        file.write_text(json.dumps(asdict(self), indent=1, default=sorted) + "\n")


def _seen(reader: Reader, places: Places) -> Seen:
    driver = places.at(reader.driver) if reader.driver else None
    return Seen(places.at(reader.pc), reader.helper, driver, f"{reader.pc:#x}")
