# SPDX-License-Identifier: Apache-2.0
"""The Executor that is a Dask cluster. Nothing else imports this, so that nothing else needs Dask.

A worker offers the guests that it can run at a time as the resource ``vm``; ``scripts/worker``
starts one. A kernel is built once, as a task of its own, by some worker, and the others take it
from the store. A task whose worker dies goes to another one, and its result comes back once.
"""

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from distributed import Client, Future, wait

from harness.base.cache.store import VARIABLE as STORE
from harness.base.errors import HarnessError, HostError, explain
from harness.base.paths import cache_directory
from harness.base.progress import say
from harness.jobs.nightly import work
from harness.jobs.nightly.entry import Ended
from harness.jobs.nightly.executor import NextJob
from harness.jobs.nightly.job import Job
from harness.jobs.nightly.payload import Payload, pack, unpack
from harness.jobs.nightly.runner import Runner

SLOTS = "vm"
"""The resource of a worker: one for each guest that it can run at a time."""

PATIENCE = 60.0
"""Seconds to wait for a scheduler, and for a first worker."""

AHEAD = 2
"""Jobs submitted for each slot, in slots: some wait for their kernels."""


@dataclass
class Cluster:
    """The workers of the scheduler at *address*; *kernels* are the builds by the kernel's key."""

    address: str
    client: Client
    runner: str
    store: str
    kernels: dict[str, Future[str]] = field(default_factory=dict)

    def work(self, take: NextJob) -> Iterator[Ended]:
        """See :class:`.executor.Executor`; HostError if the workers or the scheduler go."""
        running: dict[Future[Ended], Job] = {}
        while True:
            yield from self._hand_out(take, running)
            if not running:
                return
            for future in self._some_ended(running):
                yield _result(running.pop(future), future)
                future.release()

    def _hand_out(self, take: NextJob, running: dict[Future[Ended], Job]) -> Iterator[Ended]:
        """Submit jobs until the workers have enough; yield those that cannot be submitted."""
        slots = self._slots()
        while sum(job.slots for job in running.values()) < AHEAD * sum(slots) and (job := take()):
            try:
                running[self._submit(job, max(slots))] = job
            except HarnessError as fault:
                yield Ended(job, None, explain(fault))

    def _submit(self, job: Job, most: int) -> Future[Ended]:
        if job.slots > most:
            raise HostError(
                f"it needs {job.slots} slots, and no worker has more than {most}. Start one with "
                f"--resources {SLOTS}={job.slots}, or give its tests fewer slots in the plan"
            )
        payload = pack(job, self.runner, self.store)
        if job.kernel_key not in self.kernels:
            self.kernels[job.kernel_key] = self.client.submit(
                build,
                payload,
                key=f"kernel-{job.kernel_key}",
                resources={SLOTS: 1},
                priority=job.priority,
            )
        return self.client.submit(
            test,
            payload,
            self.kernels[job.kernel_key],
            key=f"job-{job.key}",
            resources={SLOTS: job.slots},
            priority=job.priority,
        )

    def _some_ended(self, running: dict[Future[Ended], Job]) -> list[Future[Ended]]:
        """Wait for one or more of the jobs, as long as there is a worker."""
        while True:
            try:
                return list(wait(list(running), PATIENCE, "FIRST_COMPLETED").done)
            except TimeoutError:
                self._slots()
            except asyncio.CancelledError as fault:
                raise _gone(self.address) from fault

    def _slots(self) -> list[int]:
        """How many slots each worker has; HostError if there is no worker, or none with slots."""
        try:
            self.client.wait_for_workers(1, PATIENCE)
            workers = self.client.scheduler_info(n_workers=-1)["workers"].values()
        except TimeoutError as fault:
            raise HostError(
                f"the cluster has had no worker for {PATIENCE:.0f} s. Start some with "
                f"scripts/worker {self.address}, then repeat this command"
            ) from fault
        except OSError as fault:
            raise _gone(self.address) from fault
        slots = [int(worker["resources"].get(SLOTS, 0)) for worker in workers]
        if not any(slots):
            raise HostError(
                f"the cluster's {len(slots)} workers offer no slots for guests. Start them with "
                f"scripts/worker, or with --resources {SLOTS}=NUMBER"
            )
        return slots


@contextmanager
def join(address: str, runner: str) -> Iterator[Cluster]:
    """Be a client of the scheduler at *address*, and say where its dashboard is."""
    try:
        client = Client(address, timeout=PATIENCE)
    except (OSError, ValueError) as fault:
        raise HostError(
            f"no Dask scheduler answers at {address}: {fault}. Start one with: dask scheduler"
        ) from fault
    with client:
        say(f"cluster {address}: dashboard {client.dashboard_link}")
        store = os.environ.get(STORE, "")
        if not store:
            say("cluster: there is no --store, so every worker builds its own kernels")
        yield Cluster(address, client, runner, store)


def build(payload: Payload) -> str:
    """On a worker: build the kernel and share it; return what went wrong, or ""."""
    try:
        with _unpacked(payload) as (job, runner):
            return work.build(job, runner)
    except HarnessError as fault:
        return explain(fault)


def test(payload: Payload, fault: str) -> Ended:
    """On a worker: run the tests, unless building the kernel had a *fault*."""
    if fault:
        return Ended(payload.job, None, fault)
    logs = cache_directory() / "nightly" / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    try:
        with _unpacked(payload) as (job, runner):
            return work.test(job, runner, logs / f"{job.key}.log")
    except HarnessError as refused:
        return Ended(payload.job, None, explain(refused))


@contextmanager
def _unpacked(payload: Payload) -> Iterator[tuple[Job, Runner]]:
    if payload.store:
        os.environ[STORE] = payload.store
    with tempfile.TemporaryDirectory() as folder:
        yield unpack(payload, Path(folder))


def _result(job: Job, future: Future[Ended]) -> Ended:
    """The result for *job*; an error of the cluster, such as a dead worker, is its fault text.

    A result can be lost with its worker: then both calls wait until the job has run again.
    """
    fault = future.exception()
    if fault is not None:
        return Ended(job, None, f"{type(fault).__name__}: {fault}")
    ended: Ended = future.result()
    return Ended(job, ended.run, ended.fault)


def _gone(address: str) -> HostError:
    return HostError(
        f"the scheduler at {address} is gone. Finished jobs are kept; start the "
        "scheduler and this command again to continue"
    )
