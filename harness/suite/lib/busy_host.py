# SPDX-License-Identifier: Apache-2.0
"""A host that is busy with other programs."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def spinning_on_one_cpu(count: int) -> Iterator[list[int]]:
    """The ids of processes that never sleep, all on the first CPU that this one may use.

    Each has a session of its own, as QEMU has: where the host shares its time by sessions, they
    would be one program together (Linux, sched(7), autogroup).
    """
    cpu = min(os.sched_getaffinity(0))
    loop = ["taskset", "-c", str(cpu), "sh", "-c", "while :; do :; done"]
    running = [subprocess.Popen(loop, start_new_session=True) for _ in range(count)]
    try:
        yield [process.pid for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()


def pin_to_one_cpu(pid: int) -> None:
    """Leave all threads of a process the first CPU that this one may use."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), {min(os.sched_getaffinity(0))})
