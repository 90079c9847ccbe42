# SPDX-License-Identifier: Apache-2.0
"""When a guest has nothing left to do: no task of it can run, and no CPU executes an instruction.

Only then has a driver asked its device for all that it will ask for before an answer. It is looked
at from outside, by the kernel's run queues and by the threads of QEMU's that are the CPUs, so that
the guest is not disturbed, and nothing waits for a fixed time.
"""

from collections.abc import Callable
from pathlib import Path
from threading import Lock

from harness.machine.qemu.guest import Guest
from harness.observe.memory import KernelTypes, RunQueues

ASLEEP = "S"
"""The state of a thread that waits (proc_pid_stat(5)); that of a CPU in WFI does."""

LOOK = 0.001
"""Seconds between two looks; nothing tells of it."""

ROUNDS = 2
"""After so many commands, QEMU's main loop has gone round at least once: what the guest told its
devices before has reached them, and their interrupts have reached the guest."""


class Quiet:
    """Looks whether *guest*, whose kernel has *types*, has anything to do.

    It holds *reading* while it reads the guest's memory.
    """

    def __init__(self, guest: Guest, types: KernelTypes, reading: Lock) -> None:
        self._guest, self._reading = guest, reading
        self._queues = RunQueues(types)
        cpus = guest.monitor.execute("query-cpus-fast")
        tasks = Path(f"/proc/{guest.process.pid}/task")
        self._threads = tuple(tasks / str(cpu["thread-id"]) / "stat" for cpu in cpus)

    def wait(self, seconds: float, requests: Callable[[], int]) -> bool:
        """Wait until the guest has nothing to do, and *requests* of its devices stay the same.

        Whether that came within *seconds* of its own time.
        """
        patience = self._guest.watch.patience(seconds)
        while patience.left() > 0:
            before = requests()
            if self.look() and requests() == before:
                return True
            self._guest.watch.sleep(LOOK)
        return False

    def look(self) -> bool:
        """Whether the guest had nothing to do while QEMU handled all that came before."""
        before = self._idle()
        if before is None:
            return False
        for _ in range(ROUNDS):
            self._guest.monitor.execute("query-status")
        return self._idle() == before

    def _idle(self) -> tuple[int, ...] | None:
        if any(_state(thread) != ASLEEP for thread in self._threads):
            return None
        with self._reading:
            return self._queues.switches_if_idle()


def _state(thread: Path) -> str:
    """The state of a thread, the word after its name, which may contain spaces."""
    return thread.read_text().rpartition(")")[2].split()[0]
