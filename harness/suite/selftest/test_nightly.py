# SPDX-License-Identifier: Apache-2.0
"""The same plan says the same of a kernel on one machine and on three, of which one dies."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.base.cache import Cache
from harness.base.cache.store import VARIABLE as STORE
from harness.base.paths import cache_directory
from harness.kernel import Initramfs, Kernel
from harness.results import SuiteRequest
from harness.suite.lib.local_cluster import NIGHT, local_cluster, night_at_work

pytestmark = [
    pytest.mark.nightly("a scheduler, three workers, and the same tests twice"),
    pytest.mark.timeout(1800),
]

PACKAGES = ("apt", "apt-suites", "packages")
"""What any machine has from its mirror."""

BUILT = ("kernels", "initramfs", "parked", "devicetrees")
"""What this machine has built; a worker takes the first two from the store."""

GROUPS = {
    "mappings": "test_streaming.py::test_every_mapping_lies_in_the_pool",
    "control": "test_streaming.py::test_without_a_pool_a_mapping_is_the_buffer_itself",
    "full": "test_exhaustion.py::test_a_full_pool_refuses_and_does_not_fall_back",
    "zeroed": "test_pools.py::test_a_pool_is_zeroed_when_its_first_device_is_attached",
}
"""A test or two each."""


def environment(root: Path, part: str) -> dict[str, str]:
    """That of a machine of its own: with the packages, and without any kernel unless it is here."""
    cache = root / part
    cache.mkdir(exist_ok=True)
    for kind in PACKAGES if part.startswith("worker") else (*PACKAGES, *BUILT):
        (cache_directory() / kind).mkdir(exist_ok=True)
        if not (cache / kind).exists():
            (cache / kind).symlink_to(cache_directory() / kind)
    return {**os.environ, "HARNESS_CACHE": str(cache)}


@pytest.fixture
def plan(tmp_path: Path, settings: SuiteRequest) -> Path:
    """Four small groups of tests on the kernel under test."""
    lines = ["[kernels.this]", f'source = "{settings.spec.source}"']
    for name, test in GROUPS.items():
        lines += [f"[groups.{name}]", f'tests = ["harness/suite/{test}"]', "slots = 1"]
    (tmp_path / "plan.toml").write_text("\n".join(lines) + "\n")
    return tmp_path / "plan.toml"


@pytest.fixture
def store(
    tmp_path: Path, kernel: Kernel, initramfs: Initramfs, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A store that has the kernel under test, so that no worker needs to build it."""
    path = tmp_path / "store"
    with monkeypatch.context() as within:
        within.setenv(STORE, str(path))
        Cache("kernels").share(kernel.key)
        Cache("initramfs").share(initramfs.key)
    return path


def verdicts(report: Path) -> dict[str, tuple[str, dict[str, int]]]:
    """The fate and the results of every job, by its name."""
    return {job["job"]: (job["fate"], job["results"]) for job in json.loads(report.read_text())}


def test_a_cluster_says_what_one_machine_says(
    tmp_path: Path, settings: SuiteRequest, plan: Path, store: Path
) -> None:
    """Results do not depend on where a test ran, nor on a worker that was killed under it."""
    if settings.spec.series or settings.spec.flavour:
        pytest.skip("the plan of this test is for a kernel that a source alone names")
    here, there = tmp_path / "here.json", tmp_path / "there.json"
    alone, lead = environment(tmp_path, "alone"), environment(tmp_path, "lead")

    subprocess.run(
        [sys.executable, "-c", NIGHT, "nightly", str(plan), f"--json={here}"], check=True, env=alone
    )
    with local_cluster(lambda part: environment(tmp_path, part), 3) as cluster:
        words = (f"--cluster={cluster.address}", f"--store={store}", f"--json={there}")
        with night_at_work(lead, str(plan), *words) as night:
            cluster.workers[0].kill()
            said, errors = night.communicate(timeout=900)

    assert night.returncode == 0, said + errors
    assert verdicts(there) == verdicts(here)
    assert {fate for fate, _ in verdicts(there).values()} == {"run"}
    assert not list(tmp_path.glob("worker-*/workspaces/*/build*"))
