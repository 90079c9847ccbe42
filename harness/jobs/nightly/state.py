# SPDX-License-Identifier: Apache-2.0
"""State of a night that survives a kill: its name, and how long jobs took.

The history holds a job's run under the job's key. A run that is not final (a test ended as ERROR),
or one with ``--again``, is stored under the key and the name of the night: it counts for this
night, however often that is killed, and the next night runs the job again.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from filelock import FileLock, Timeout

from harness.base.cache import digest
from harness.base.disk import write_whole
from harness.base.errors import HostError
from harness.base.paths import cache_directory
from harness.jobs.nightly.entry import is_final
from harness.jobs.nightly.job import Job
from harness.results import Run
from harness.results.history import History

NIGHT = "night.json"
DURATIONS = "durations.json"


@dataclass(frozen=True)
class Night:
    """One night of one plan; *folder* holds its state until it is finished.

    *again*: verdicts of earlier nights do not count.
    """

    folder: Path
    name: str = field(default_factory=lambda: uuid4().hex[:12])
    again: bool = False

    def log(self, job: Job) -> Path:
        """Where the output of *job*'s tests goes."""
        path = self.folder / "logs" / f"{job.key}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def done(self, history: History, job: Job) -> Run | None:
        """The final run of *job*, None if it must run."""
        mine = history.run_of(self._own_key(job))
        return mine or (None if self.again else history.run_of(job.key))

    def keep(self, history: History, job: Job, run: Run) -> None:
        """Add *run* to the history, once."""
        settles = is_final(run) and not self.again
        history.add(run, job=job.key if settles else self._own_key(job))

    def begin(self) -> None:
        """Store that the night has begun: if it is killed, the next call continues it."""
        _write(self.folder / NIGHT, {"name": self.name, "again": self.again})

    def finish(self) -> None:
        """The next call starts another night."""
        (self.folder / NIGHT).unlink(missing_ok=True)

    def durations(self) -> dict[str, float]:
        """Seconds that jobs took last, by ``Job.course``."""
        try:
            return dict(json.loads((self.folder / DURATIONS).read_text()))
        except (OSError, ValueError):
            return {}

    def note_duration(self, job: Job, seconds: float) -> None:
        """Remember that *job* took *seconds*."""
        _write(self.folder / DURATIONS, {**self.durations(), job.course: seconds})

    def _own_key(self, job: Job) -> str:
        return f"{job.key}:{self.name}"


@contextmanager
def open_night(plan: Path, *, again: bool = False) -> Iterator[Night]:
    """Continue the unfinished night over *plan*, or begin one, and lock it.

    A night that began with *again* keeps that. HostError if another process holds the lock.
    """
    folder = cache_directory() / "nightly" / digest(str(plan.resolve()))
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / "lock", timeout=0):
            night = _read(folder)
            if night is None or (again and not night.again):
                night = Night(folder, again=again)
            yield night
    except Timeout as fault:
        raise HostError(
            f"another process works on {plan} (it holds {folder / 'lock'}). Wait for it to end."
        ) from fault


def _read(folder: Path) -> Night | None:
    try:
        return Night(folder, **json.loads((folder / NIGHT).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _write(path: Path, content: object) -> None:
    write_whole(path, json.dumps(content) + "\n")
