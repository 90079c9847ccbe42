# SPDX-License-Identifier: Apache-2.0
"""The file of a run: JSON lines, written as the run goes.

::

    {"version": 1, "id": ..., "begin": ..., "provenance": {...}, "request": [...], "words": [...]}
    {"test": ..., "result": ..., ..., "at": 12.5}         a line a test, as soon as it has ended
    {"end": {"seconds": 80.1, "complete": true, "exit_code": 0}}

A run that was killed lacks only its last line. The writer holds a lock on its file, which the
kernel releases when the writer dies: a file that can be locked is finished.
"""

import fcntl
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, BinaryIO

from harness.base.disk import cannot_write, write_whole, writing
from harness.base.errors import HostError
from harness.results.case import Case, case_from
from harness.results.run import Run, provenance_from
from harness.results.verdict import verdict_of

VERSION = 1

SUFFIX = ".jsonl"


class RunFile:
    """Writes *run*, which has no tests yet, to *path*, which is overwritten.

    Raises HostError when a disk is full at the begin.
    """

    def __init__(self, path: Path, run: Run) -> None:
        self.path = path
        self.run = run
        self._begin = time.monotonic()
        self.lost: HostError | None = None
        """Why the file ends too early; what was to follow is in *run* alone."""
        with writing("the file of this run", path.parent):
            self._file: BinaryIO = path.open("wb", buffering=0)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        self._write(_header(run))
        if self.lost is not None:
            path.unlink()
            raise self.lost

    def add(self, case: Case) -> None:
        """Write how a test ended."""
        self.run = replace(self.run, tests=(*self.run.tests, case))
        self._write({**asdict(case), "at": self._seconds()})

    def end(self, complete: bool) -> Run:
        """Write the end and return the finished run; the file stays locked until close()."""
        self.run = replace(self.run, seconds=self._seconds(), complete=complete)
        self._write(_end(self.run))
        return self.run

    def close(self) -> None:
        """Release the file."""
        self._file.close()

    def _seconds(self) -> float:
        return round(time.monotonic() - self._begin, 3)

    def _write(self, line: dict[str, Any]) -> None:
        text = f"{json.dumps(line)}\n".encode()
        try:
            while text and self.lost is None:
                text = text[self._file.write(text) :]
        except OSError as fault:
            self.lost = cannot_write("the file of this run", self.path.parent, fault)


def save_run(run: Run, path: Path) -> None:
    """Write a finished *run*, in one step."""
    write_whole(path, run_text(run))


def run_text(run: Run) -> str:
    """The text of the file of a finished *run*."""
    lines = [_header(run), *({**asdict(one), "at": run.seconds} for one in run.tests), _end(run)]
    return "".join(json.dumps(line) + "\n" for line in lines)


def load_run(path: Path) -> Run:
    """Read a run. One that was killed has the tests that ended, and is not *complete*.

    Raises OSError or ValueError if *path* is not the file of a run.
    """
    header, *lines = _lines(path)
    if not isinstance(header, dict) or header.get("version") != VERSION:
        found = header.get("version") if isinstance(header, dict) else None
        raise ValueError(f"expected version {VERSION} in the first line, found {found}")
    end = lines.pop()["end"] if lines and "end" in lines[-1] else {}
    last = max((one.pop("at") for one in lines), default=0.0)
    try:
        return Run(
            provenance=provenance_from(header["provenance"]),
            begin=header["begin"],
            seconds=end.get("seconds", last),
            words=tuple(header["words"]),
            tests=tuple(case_from(one) for one in lines),
            complete=end.get("complete", False),
            id=header["id"],
            request=tuple(header["request"]),
        )
    except (KeyError, TypeError) as fault:
        raise ValueError(f"a line of the run lacks a field: {fault!r}") from fault


def is_run(path: Path) -> bool:
    """Whether *path* begins like the file of a run."""
    with path.open("rb") as file:
        return file.read(12).startswith(b'{"version": ')


def _lines(path: Path) -> Iterator[Any]:
    """The lines of the file, without a last one that a kill cut off."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines:
        raise ValueError("the file is empty")
    for number, line in enumerate(lines, 1):
        try:
            yield json.loads(line)
        except ValueError as fault:
            if number < len(lines) or number == 1:
                raise ValueError(f"line {number} is not JSON: {fault}") from fault


def _header(run: Run) -> dict[str, Any]:
    return {
        "version": VERSION,
        "id": run.id,
        "begin": run.begin,
        "provenance": asdict(run.provenance),
        "request": run.request,
        "words": run.words,
    }


def _end(run: Run) -> dict[str, Any]:
    code = verdict_of(run).exit_code
    return {"end": {"seconds": run.seconds, "complete": run.complete, "exit_code": code}}
