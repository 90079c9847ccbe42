# SPDX-License-Identifier: Apache-2.0
"""A log of a guest in its run directory; when its disk is full, the guest ends with an error."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from harness.base.disk import cannot_write
from harness.base.errors import HostError
from harness.base.outcome import Ending, Outcome
from harness.machine.qemu.watch import Watch


class LogFile:
    """The file at *path*, written at once; *lost* is called with the error of the first failure."""

    def __init__(self, path: Path, lost: Callable[[HostError], None]) -> None:
        self._path, self._lost = path, lost
        self._file: BinaryIO | None = path.open("wb", buffering=0)

    def write(self, line: bytes) -> None:
        """Append *line*; do nothing after a failure."""
        try:
            while line and self._file is not None:
                line = line[self._file.write(line) :]
        except OSError as fault:
            self.close()
            self._lost(cannot_write(self._path.name, self._path.parent, fault))

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file is not None:
            self._file.close()
            self._file = None


def ends(watch: Watch) -> Callable[[HostError], None]:
    """End the guest of *watch* as a fault of the host: what it did is not on record any more."""
    return lambda fault: watch.end(Ending(Outcome.HOST_FAILED, str(fault)))


def raises(fault: HostError) -> None:
    """Raise *fault*, for a log that its reader's own thread writes."""
    raise fault
