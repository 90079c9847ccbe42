# SPDX-License-Identifier: Apache-2.0
"""Progress of long steps: a live bar on a terminal, plain lines elsewhere."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Column

PLAIN_STEP = 10
"""Percent between two lines where there is no terminal."""


class ProgressStep(Protocol):
    """Receives the progress of a step."""

    def update(self, done: int, total: int, note: str = "") -> None:
        """*done* of *total* units are finished; *note* names the current one."""


class _PlainStep:
    def __init__(self, title: str, out: TextIO) -> None:
        self._title, self._out, self._shown = title, out, 0

    def update(self, done: int, total: int, note: str = "") -> None:  # noqa: ARG002 - bar only
        percent = 100 * done // max(total, 1)
        if percent >= self._shown + PLAIN_STEP:
            self._shown = percent - percent % PLAIN_STEP
            print(f"{self._title}: {percent} %", file=self._out, flush=True)


class _BarStep:
    def __init__(self, bar: Progress, title: str) -> None:
        self._bar, self._task = bar, bar.add_task(title, total=None, note="")

    def update(self, done: int, total: int, note: str = "") -> None:
        self._bar.update(self._task, completed=done, total=total, note=note)


@contextmanager
def step(title: str, out: TextIO | None = None) -> Iterator[ProgressStep]:
    """Announce a step that may take more than two seconds, and its duration.

    Writes to *out*, by default to the real standard error, even while pytest captures it.
    """
    stream = out or sys.__stderr__ or sys.stderr
    begin = time.monotonic()
    if stream.isatty():
        columns = (
            TaskProgressColumn(table_column=Column(min_width=4)),
            BarColumn(bar_width=16),
            TimeElapsedColumn(table_column=Column(min_width=7)),
            TextColumn("{task.description}", table_column=Column(ratio=3, no_wrap=True)),
            TextColumn(
                "{task.fields[note]}", style="dim", table_column=Column(ratio=2, no_wrap=True)
            ),
        )
        with Progress(*columns, console=Console(file=stream), transient=True, expand=True) as bar:
            yield _BarStep(bar, title)
    else:
        print(f"{title} ...", file=stream, flush=True)
        yield _PlainStep(title, stream)
    print(f"{title}: done in {time.monotonic() - begin:.1f} s", file=stream, flush=True)


def say(line: str, out: TextIO | None = None) -> None:
    """Write one line to the real standard error, even while pytest captures it."""
    print(line, file=out or sys.__stderr__ or sys.stderr, flush=True)
