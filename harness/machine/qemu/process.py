# SPDX-License-Identifier: Apache-2.0
"""The QEMU process: it dies with the harness, its end is noticed at once, its output is kept."""

import functools
import os
import select
import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path
from signal import SIGBUS, Signals

from harness.base.errors import QemuError
from harness.base.outcome import Ending, Outcome
from harness.base.tools import dies_with_us
from harness.machine.qemu.loop import call, event_loop
from harness.machine.qemu.patience import delays
from harness.machine.qemu.watch import Watch

START_TIMEOUT = 60.0
"""Seconds until a started QEMU connects to its monitor socket; measured: 0.05 on an idle host."""

LOG = "qemu.log"


class Process:
    """One QEMU. Start it from a thread that lives at least as long as the guest.

    The kernel kills QEMU when the thread that started it ends (prctl(2), PR_SET_PDEATHSIG), so
    even SIGKILL to the harness leaves nothing running.
    """

    def __init__(
        self, command: Sequence[str], directory: Path, watch: Watch, files: Sequence[int] = ()
    ) -> None:
        """Start *command*, which inherits the open *files* under their numbers."""
        self._watch = watch
        self._log = directory / LOG
        self._closing = False
        with self._log.open("wb") as log:
            self._popen = subprocess.Popen(
                dies_with_us(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                pass_fds=files,
            )
        self._pidfd = os.pidfd_open(self._popen.pid)
        watch.delays = functools.partial(delays, self._popen.pid)
        call(lambda: event_loop().add_reader(self._pidfd, self._ended))

    @property
    def pid(self) -> int:
        """The process id of QEMU itself (setpriv and the shell become it)."""
        return self._popen.pid

    def accept(self, listener: socket.socket) -> socket.socket:
        """Accept QEMU's connection; raises QemuError with QEMU's output if it dies instead."""
        poll = select.poll()
        poll.register(listener, select.POLLIN)
        poll.register(self._pidfd, select.POLLIN)
        ready = [fd for fd, _ in poll.poll(START_TIMEOUT * 1000)]
        if listener.fileno() in ready:
            return listener.accept()[0]
        if ready:
            self._popen.wait()
            raise QemuError(f"QEMU did not start: {self.complaint()}")
        raise QemuError(f"waited {START_TIMEOUT:g} s for QEMU to connect; {self.complaint()}")

    def complaint(self) -> str:
        """How QEMU ended, if it did, and what it last wrote."""
        said = self._log.read_text(errors="replace").strip()[-1000:]
        return f"{self._state()} and wrote: {said or 'nothing'}"

    def kill(self) -> None:
        """Kill QEMU and wait for its end; nothing of the guest is needed any more."""
        self._closing = True
        call(lambda: event_loop().remove_reader(self._pidfd))
        self._popen.kill()
        self._popen.wait()
        os.close(self._pidfd)

    def _state(self) -> str:
        code = self._popen.returncode
        if code is None:
            return "it is running"
        if code >= 0:
            return f"it ended with {code}"
        hint = " (is the host, or its container, out of memory?)" if -code == SIGBUS else ""
        return f"it was ended by {Signals(-code).name}{hint}"

    def _ended(self) -> None:
        event_loop().remove_reader(self._pidfd)
        self._popen.wait()
        if not self._closing:
            self._watch.end(Ending(Outcome.QEMU_DIED, self.complaint()))
