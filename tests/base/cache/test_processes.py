# SPDX-License-Identifier: Apache-2.0
"""Runs that evict at the same time, are killed, or fill a small disk."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from cache_entries import add, held

from harness.base.cache import Cache
from harness.base.cache.budget import VARIABLE
from harness.base.cache.layout import MANIFEST
from harness.base.space import KIB, MIB
from harness.suite.lib.small_disk import can_mount, python_on_small_disk

pytestmark = pytest.mark.usefixtures("cache")


ADDER = """
import os, sys
from harness.base.cache import Cache
from harness.base.cache.lease import leases
number = 0
while True:
    number += 1
    with leases():
        key = f"{sys.argv[1]}-{number % 7}"
        entry = Cache("things").get(key, lambda one: (one / "data").write_bytes(os.urandom(60000)))
        assert len((entry / "data").read_bytes()) == 60000, key
    print(number, flush=True)
"""


def start_adder(name: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", ADDER, name],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )


def wait_for(adder: subprocess.Popen[bytes], additions: int) -> None:
    assert adder.stdout is not None
    for _ in range(additions):
        assert adder.stdout.readline(), adder.stderr and adder.stderr.read().decode()


def test_runs_that_evict_at_once_and_are_killed_leave_whole_entries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(VARIABLE, "600K")
    for round_ in range(2):
        adders = [start_adder(f"{name}{round_ % 2}") for name in "abc"]
        for adder in adders:
            wait_for(adder, 15 + round_)
        for adder in adders:
            adder.kill()
            _, told = adder.communicate()
            assert b"damaged" not in told, told
            assert b"Error" not in told, told

    add("things", "last")

    found = [path for path in Cache("things").root.iterdir() if path.is_dir()]
    for entry in found:
        sums = json.loads((entry / MANIFEST).read_text())
        assert {*sums, MANIFEST} == {path.name for path in entry.iterdir()}
    assert held() <= 600 * KIB
    assert found


FILL = """
import os
from harness.base.cache import Cache
from harness.base.cache.lease import leases
from harness.base.cache.usage import Usage, open_usage
from harness.base.cache.inventory import take_inventory
for number in range(60):
    with leases():
        Cache("things").get(str(number), lambda one: (one / "data").write_bytes(os.urandom(200000)))
    print(take_inventory(Usage()).total)
"""


@pytest.mark.skipif(not can_mount(), reason="this user may not mount in a namespace")
def test_a_small_disk_is_filled_by_a_third(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE)
    env = {**os.environ, "PYTHONPATH": ":".join(sys.path)}

    done = python_on_small_disk("6M", cache, FILL, env)

    sizes = [int(line) for line in done.stdout.split()]
    assert len(sizes) == 60
    assert MIB < max(sizes) <= 2 * MIB
