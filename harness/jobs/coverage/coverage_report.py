# SPDX-License-Identifier: Apache-2.0
"""Coverage of the restricted DMA paths, and of the lines that a series adds."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.jobs.coverage.lines import Lines
from harness.jobs.coverage.scope import Extent, known_reasons, restricted_paths
from harness.kernel.build.gcov import CoveredLine
from harness.kernel.build.notes import DIRECTORY, SOURCES, added_lines


@dataclass(frozen=True)
class Missed:
    """A line that never ran, its text, and the known reason; empty if there is none."""

    path: str
    function: str
    number: int
    text: str
    reason: str


@dataclass(frozen=True)
class Tally:
    """Counts of lines and branches; of *lines*, *excused* cannot be reached."""

    lines: int = 0
    run: int = 0
    excused: int = 0
    branches: int = 0
    taken: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            self.lines + other.lines,
            self.run + other.run,
            self.excused + other.excused,
            self.branches + other.branches,
            self.taken + other.taken,
        )

    @property
    def share(self) -> float:
        """The share of the reachable lines that ran, 0 to 1; 1 if there are none."""
        reachable = self.lines - self.excused
        return self.run / reachable if reachable else 1.0


@dataclass(frozen=True)
class FunctionReport:
    """A function: its lines with code, and those of them that never ran."""

    extent: Extent
    lines: tuple[CoveredLine, ...]
    missed: tuple[Missed, ...]

    @property
    def tally(self) -> Tally:
        """Its numbers."""
        branches = [taken for line in self.lines for taken in line.branches]
        return Tally(
            len(self.lines),
            len(self.lines) - len(self.missed),
            sum(bool(missed.reason) for missed in self.missed),
            len(branches),
            sum(taken > 0 for taken in branches),
        )


@dataclass(frozen=True)
class PatchReport:
    """Added lines of a series in *path*: those with code, and those that ran.

    Both are empty for a file without counted lines, such as a document.
    """

    path: str
    code: tuple[int, ...]
    run: tuple[int, ...]


@dataclass(frozen=True)
class CoverageReport:
    """The whole result; *stale* are reasons for lines that did run."""

    functions: tuple[FunctionReport, ...]
    patches: tuple[PatchReport, ...]
    stale: tuple[tuple[str, str, str], ...]

    @property
    def files(self) -> Mapping[str, Tally]:
        """The numbers of each file, in the order of scope.toml."""
        sums: dict[str, Tally] = {}
        for one in self.functions:
            sums[one.extent.path] = sums.get(one.extent.path, Tally()) + one.tally
        return sums

    @property
    def tally(self) -> Tally:
        """The numbers of all."""
        return sum(self.files.values(), Tally())


def make_report(kernel: Path, lines: Lines) -> CoverageReport:
    """Report on *lines* of the kernel that lies in directory *kernel*."""
    sources, reasons = kernel / DIRECTORY / SOURCES, known_reasons()
    functions = tuple(_functions(sources, lines, reasons))
    stale = tuple(reason for reason in reasons if _has_run(functions, reason, sources))
    return CoverageReport(functions, tuple(_patches(kernel, lines)), stale)


def _functions(
    sources: Path, lines: Lines, reasons: Mapping[tuple[str, str, str], str]
) -> Iterator[FunctionReport]:
    """Report on every function that was compiled."""
    for extent in restricted_paths(sources):
        inside = [lines[key] for key in sorted(lines) if key[0] == extent.path and key[1] in extent]
        if inside:
            missed = (line.number for line in inside if not line.count)
            explained = tuple(_explain(extent, one, sources, reasons) for one in missed)
            yield FunctionReport(extent, tuple(inside), explained)


def _explain(
    extent: Extent, number: int, sources: Path, reasons: Mapping[tuple[str, str, str], str]
) -> Missed:
    text = _text(sources, extent.path, number)
    reason = reasons.get((extent.path, extent.name, text), "")
    return Missed(extent.path, extent.name, number, text, reason)


def _text(sources: Path, path: str, number: int) -> str:
    return (sources / path).read_text(errors="replace").splitlines()[number - 1].strip()


def _has_run(
    functions: tuple[FunctionReport, ...], reason: tuple[str, str, str], sources: Path
) -> bool:
    """Whether a line that *reason* excuses ran, and no line with the same text was missed."""
    path, name, text = reason
    for one in functions:
        if (one.extent.path, one.extent.name) == (path, name):
            alike = [line for line in one.lines if _text(sources, path, line.number) == text]
            return bool(alike) and all(line.count for line in alike)
    return False


def _patches(kernel: Path, lines: Lines) -> Iterator[PatchReport]:
    for path, numbers in added_lines(kernel).items():
        code = [lines[path, number] for number in numbers if (path, number) in lines]
        run = tuple(line.number for line in code if line.count)
        yield PatchReport(path, tuple(line.number for line in code), run)
