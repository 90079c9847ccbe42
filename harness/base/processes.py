# SPDX-License-Identifier: Apache-2.0
"""Processes that work side by side, each with guests of its own."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager

from harness.base.progress import say


@contextmanager
def processes(number: int) -> Iterator[Executor]:
    """An executor with *number* fresh processes; one thread on a host that has no /dev/shm.

    Python's pools of processes need semaphores, which the C library keeps there (sem_open(3)).
    """
    spawn = multiprocessing.get_context("spawn")
    try:
        spawn.Lock()
    except OSError as fault:
        say(f"one guest at a time, as /dev/shm cannot be used ({str(fault.strerror).lower()})")
        with ThreadPoolExecutor(1) as thread:
            yield thread
        return
    with ProcessPoolExecutor(number, mp_context=spawn) as pool:
        yield pool
