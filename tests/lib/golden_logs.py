# SPDX-License-Identifier: Apache-2.0
"""Console logs whose header states what must be found in them (tests/logs/README.md)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base.kreport import Report

LOGS = Path(__file__).parents[1] / "logs"

ABOUT, REPORT, NOTHING = "# about: ", "# report: ", "# no report"


@dataclass(frozen=True)
class GoldenLog:
    """A log: what it is *about*, the reports that its header *states*, a line each, its *lines*."""

    path: Path
    about: tuple[str, ...]
    states: tuple[str, ...]
    lines: tuple[str, ...]


def golden_log(name: str) -> GoldenLog:
    """The log tests/logs/*name*.log."""
    path = LOGS / f"{name}.log"
    header, _, content = path.read_text(errors="replace").partition("\n\n")
    head = header.split("\n")
    return GoldenLog(
        path,
        tuple(line for line in head if line.startswith(ABOUT)),
        tuple(line.removeprefix(REPORT) for line in head if line.startswith(REPORT)),
        tuple(content.removesuffix("\n").split("\n")),
    )


def golden_logs() -> list[str]:
    """The names of all of them."""
    return sorted(path.stem for path in LOGS.glob("*.log"))


def statement(report: Report) -> str:
    """What a header says of *report*: its detector, how the guest ends, its title."""
    ends = report.ends.value if report.ends else "goes on"
    return f"{report.detector.name}, {ends}, {report.title}"


def rewrite(log: GoldenLog, reports: Sequence[Report]) -> None:
    """Have the header of *log* state *reports*; the change is for a person to review."""
    states = [f"{REPORT}{statement(report)}" for report in reports] or [NOTHING]
    text = "\n".join((*log.about, *states, "", *log.lines))
    log.path.write_text(f"{text}\n", errors="replace")
