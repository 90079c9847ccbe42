# SPDX-License-Identifier: Apache-2.0
"""A Dask cluster of local processes, whose workers can be killed."""

import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TextIO

PATIENCE = 90.0
"""Seconds that a process of the cluster may take to start on a busy machine."""

QUIET = "--no-dashboard"

NIGHT = "import sys; from harness.cli import main; sys.exit(main())"


@dataclass
class LocalCluster:
    """A scheduler at *address*, and workers; *environment* gives the environment by name."""

    environment: Callable[[str], Mapping[str, str]]
    address: str = ""
    workers: list["subprocess.Popen[str]"] = field(default_factory=list)
    _all: list["subprocess.Popen[str]"] = field(default_factory=list)

    def add_workers(self, count: int, *words: str) -> None:
        """Start *count* workers and wait for them; *words* replace the default of one VM each."""
        offer = words or ("--resources", "vm=1")
        command = ("worker", self.address, "--no-nanny", "--nthreads", "3", QUIET, *offer)
        first = len(self.workers)
        started = [self._start(f"worker-{first + number}", *command) for number in range(count)]
        self.workers += started
        for worker in started:
            _hear(worker, "Registered to:")

    def start_scheduler(self) -> None:
        """Start the scheduler at a free port."""
        scheduler = self._start("scheduler", "scheduler", "--host=127.0.0.1", "--port=0", QUIET)
        self.address = _hear(scheduler, "Scheduler at:")

    def end(self) -> None:
        """Kill all processes of the cluster."""
        for process in self._all:
            process.kill()
        for process in self._all:
            process.wait()
            if process.stderr:
                process.stderr.close()

    def _start(self, part: str, *words: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *words],
            env=self.environment(part),
            stderr=subprocess.PIPE,
            text=True,
        )
        self._all.append(process)
        return process


@contextmanager
def local_cluster(
    environment: Callable[[str], Mapping[str, str]], workers: int
) -> Iterator[LocalCluster]:
    """A cluster with *workers*, which is killed at the end of the context."""
    cluster = LocalCluster(environment)
    try:
        cluster.start_scheduler()
        cluster.add_workers(workers)
        yield cluster
    finally:
        cluster.end()


@contextmanager
def night_at_work(environment: Mapping[str, str], *words: str) -> Iterator["subprocess.Popen[str]"]:
    """Run ``harness nightly`` with *words* until its first result; kill it at the end."""
    with subprocess.Popen(
        [sys.executable, "-c", NIGHT, "nightly", *words],
        env=environment,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as night:
        assert night.stderr is not None
        printed = []
        for line in night.stderr:
            printed.append(line)
            if "/plain/plain/default/" in line:
                yield night
                night.kill()
                return
        raise AssertionError(f"harness nightly printed no result: {''.join(printed)}")


def _hear(process: "subprocess.Popen[str]", announced: str) -> str:
    """The text after *announced* in the output of *process*; later output is dropped."""
    assert process.stderr is not None
    heard: queue.Queue[str] = queue.Queue()
    listener = (process.stderr, announced, heard)
    threading.Thread(target=_listen, args=listener, daemon=True).start()
    return heard.get(timeout=PATIENCE)


def _listen(output: TextIO, announced: str, heard: "queue.Queue[str]") -> None:
    for line in output:
        _, found, rest = line.partition(announced)
        if found:
            heard.put(rest.strip())
