# SPDX-License-Identifier: Apache-2.0
"""Read the artifacts of a test's guest (machine/qemu/artifacts.py) for reports."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from harness.base.kreport import Report, reports_in
from harness.machine.machine import FENCE_LOG
from harness.machine.qemu.artifacts import BOOT_LOG, ENDING, TRACES, reopen_command
from harness.machine.qemu.guest import AGENT_LOG, COMMAND, CONSOLE_LOG, MONITOR_LOG
from harness.results import Run
from harness.results.render.files import read_log
from harness.results.render.layout import DeviceAccess, MemoryPart, accesses, parts

LOG_LIMIT = 48 * 1024
"""Bytes of one log that a report holds; a note says where lines are left out."""

LINE_LIMIT = 1000
"""Characters of one line."""

_STAMP = re.compile(r"^\[ *\d+\.\d{6}\] ")
"""harness/machine/qemu/console.py"""

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[^\n\t\x20-\x7e\x85-\U0010ffff]")
"""Control sequences of terminals."""


@dataclass(frozen=True)
class Log:
    """The lines of one file, and the kernel reports in them."""

    name: str
    lines: tuple[str, ...]
    reports: tuple[Report, ...] = ()

    def report_at(self, index: int) -> Report | None:
        """The report that line *index* belongs to."""
        return next((one for one in self.reports if index in one.lines), None)

    def kept(self, limit: int = LOG_LIMIT) -> tuple[range, ...]:
        """Ranges of lines within *limit* bytes: first reports, then the end, then the beginning."""
        marked = [index for one in self.reports for index in one.lines]
        count = len(self.lines)
        tail, head = range(count - 1, count // 2 - 1, -1), range(count // 2)
        chosen: set[int] = set()
        for index in dict.fromkeys((*marked, *_alternating(tail, head))):
            limit -= min(len(self.lines[index]), LINE_LIMIT) + 1
            if limit < 0:
                break
            chosen.add(index)
        return _spans(sorted(chosen))


@dataclass(frozen=True)
class Artifacts:
    """The content of one artifacts directory; missing files are empty."""

    directory: str
    ending: str
    command: str
    reopen: str
    logs: tuple[Log, ...]
    parts: tuple[MemoryPart, ...]
    accesses: tuple[DeviceAccess, ...]
    traces: str = ""
    """The stacks of the kernel's reports, in files and lines."""

    @property
    def reports(self) -> tuple[Report, ...]:
        """The kernel's reports, those of the boot first."""
        return tuple(report for log in self.logs for report in log.reports)

    @property
    def titles(self) -> tuple[str, ...]:
        """The titles of the kernel's reports, each once."""
        return tuple(dict.fromkeys(report.title for report in self.reports))

    def excerpt(self, limit: int) -> str:
        """The reports, or the end of the console, in at most *limit* bytes."""
        for log in self.logs:
            if log.reports:
                chosen = [log.lines[index] for one in log.reports for index in one.lines]
                return _fit("\n".join(chosen).encode()[:limit])
        console = next((log.lines for log in self.logs if log.name == CONSOLE_LOG), ())
        return _fit("\n".join(console).encode()[-limit:])


def read_artifacts(directory: Path) -> Artifacts | None:
    """Read *directory*; None if it does not exist (old ones are removed)."""
    if not directory.is_dir():
        return None
    kernel_logs = [_kernel_log(directory, name) for name in (BOOT_LOG, CONSOLE_LOG)]
    others = [Log(name, _lines(directory, name)) for name in (MONITOR_LOG, AGENT_LOG, FENCE_LOG)]
    machine, command = _machine(directory), read_log(directory / COMMAND)
    said = [line for log in kernel_logs for line in log.lines]
    places = parts(machine, command, said)
    return Artifacts(
        directory=str(directory),
        ending=read_log(directory / ENDING).strip(),
        command=command.strip(),
        reopen=reopen_command(directory),
        logs=tuple(log for log in (*kernel_logs, *others) if log.lines),
        parts=places,
        accesses=accesses(directory),
        traces="\n".join(_lines(directory, TRACES)),
    )


def artifacts_of(runs: Iterable[Run]) -> Mapping[str, Artifacts]:
    """The artifacts of all tests of *runs* that still exist, by directory."""
    names = dict.fromkeys(one.artifacts for run in runs for one in run.tests if one.artifacts)
    found = ((name, read_artifacts(Path(name))) for name in names)
    return {name: artifacts for name, artifacts in found if artifacts is not None}


def _kernel_log(directory: Path, name: str) -> Log:
    """A console's log, without the harness's own time stamps: the kernel has better ones."""
    lines = tuple(_STAMP.sub("", line, count=1) for line in _lines(directory, name))
    return Log(name, lines, tuple(reports_in(lines)))


def _lines(directory: Path, name: str) -> tuple[str, ...]:
    text = _CONTROL.sub("", read_log(directory / name))
    return tuple(line.rstrip() for line in text.rstrip("\n").split("\n")) if text else ()


def _machine(directory: Path) -> Mapping[str, object]:
    """The content of machine.json; files that it names may be gone."""
    try:
        content = json.loads(read_log(directory / "machine.json") or "{}")
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _alternating(one: Sequence[int], other: Sequence[int]) -> Iterable[int]:
    """Two of *one*, then one of *other*, until both are empty."""
    first, second = iter(one), iter(other)
    left = len(one) + len(other)
    while left:
        for source in (first, first, second):
            for index in [next(source, None)]:
                if index is not None:
                    left -= 1
                    yield index


def _spans(indices: Sequence[int]) -> tuple[range, ...]:
    """Ascending *indices* as spans without gaps."""
    groups = groupby(enumerate(indices), key=lambda pair: pair[1] - pair[0])
    spans = [[index for _, index in group] for _, group in groups]
    return tuple(range(span[0], span[-1] + 1) for span in spans)


def _fit(text: bytes) -> str:
    return text.decode(errors="ignore")
