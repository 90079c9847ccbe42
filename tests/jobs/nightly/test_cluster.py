# SPDX-License-Identifier: Apache-2.0
"""The same night on a cluster: the same verdicts, each once, whoever dies on the way."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from nightly_plans import Desk

from harness.base.errors import HostError
from harness.jobs.nightly import cluster as cluster_module
from harness.suite.lib.local_cluster import LocalCluster, local_cluster, night_at_work

PATIENCE = 120.0
"""Seconds that a night may take on a busy machine."""

KERNELS = ("one", "two", "three", "four")


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all workers note what they do."""
    return tmp_path_factory.mktemp("cluster") / "trace"


@pytest.fixture(scope="module")
def cluster(traced: Path) -> Iterator[LocalCluster]:
    """Three workers with a slot each; who kills one puts another in its place."""
    with local_cluster(Desk(traced.parent, traced).environment, 3) as made:
        yield made


@pytest.fixture
def desk(tmp_path: Path, traced: Path) -> Desk:
    """Eight jobs on kernels that no other test has, and a store for what is built."""
    made = Desk(tmp_path, traced)
    for name in KERNELS:
        made.kernel(name, f"{name} of {tmp_path.name}")
    made.write(f'store = "{tmp_path / "store"}"', kernels=KERNELS, orders="sleep=1")
    return made


def on(cluster: LocalCluster, desk: Desk) -> AbstractContextManager["subprocess.Popen[str]"]:
    """A night on the cluster that has its first result; it is killed afterwards."""
    return night_at_work(desk.environment(), str(desk.plan), "--cluster", cluster.address)


def test_a_killed_worker_changes_no_verdict(
    desk: Desk, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with on(cluster, desk) as night:
        cluster.workers[0].kill()
        said, _ = night.communicate(timeout=PATIENCE)
    built = [kernel for kernel, _ in desk.trace.all("build")]
    cluster.add_workers(1)

    assert "8 jobs: 8 run" in said
    assert desk.history() == desk.alone(monkeypatch)
    assert [built.count(str(desk.root / name)) for name in KERNELS] == [1, 1, 1, 1]


def test_a_killed_night_goes_on_with_what_is_left(
    desk: Desk, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    with on(cluster, desk):
        pass

    done = desk.call("--cluster", cluster.address)

    assert done.returncode == 1, done.stderr
    assert desk.history() == desk.alone(monkeypatch)


def test_what_the_cluster_cannot_do_is_said(desk: Desk, cluster: LocalCluster) -> None:
    text = desk.plan.read_text().replace("slots = 1", "slots = 2", 1)
    desk.kernel("two", "broken by intent")
    desk.plan.write_text(text)

    done = desk.call("--cluster", cluster.address)

    assert done.returncode == 1
    assert "it needs 2 slots, and no worker has more than 1" in done.stdout
    assert "two/plain/plain/default/second: " in done.stdout
    assert "does not compile" in done.stdout
    assert "8 jobs: 3 run, 5 not judged" in done.stdout


def test_a_job_goes_with_its_patches_to_a_machine_that_does_not_have_them(
    desk: Desk, cluster: LocalCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    (desk.root / "fix.patch").write_text("a fix")
    desk.write(kernels=("one",))
    desk.plan.write_text(desk.plan.read_text() + '[series]\nfix = ["fix.patch"]\n')

    desk.call("--cluster", cluster.address)

    assert desk.history() == desk.alone(monkeypatch)


def test_a_cluster_whose_workers_take_no_guests_is_refused(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write()
    with local_cluster(desk.environment, 0) as cluster:
        cluster.add_workers(1, "--memory-limit=0")
        done = desk.call("--cluster", cluster.address)

    assert done.returncode == 2
    assert "the cluster's 1 workers offer no slots for guests" in done.stderr


def test_a_scheduler_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster_module, "PATIENCE", 1.0)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"

        with (
            pytest.raises(HostError, match=f"no Dask scheduler answers at {address}"),
            cluster_module.join(address, "nightly_work:CHEAP"),
        ):
            pass
