# SPDX-License-Identifier: Apache-2.0
"""Artifacts of a guest are kept if a test's result is not good, or if all are asked for."""

from pathlib import Path

import pytest
from python_process import run_python
from sample_suite import KERNEL, write_suite

SUITE = (
    KERNEL
    + """
from types import SimpleNamespace
import pytest
from harness.base.errors import GuestHang
from harness.machine.qemu.journal import Journal
from harness.plugin import guests
from harness.plugin.markers import kernel_of_item

@pytest.fixture(autouse=True)
def guest(request, monkeypatch):
    request.node.stash[kernel_of_item] = Kernel()
    guest = SimpleNamespace(
        ending=None,
        closed=False,
        console=SimpleNamespace(reports=[]),
        agent=SimpleNamespace(journal=Journal()),
        machine=SimpleNamespace(fence=None),
    )
    request.node.stash[guests.guests_key] = SimpleNamespace(
        live=[guest], violations=[], examine=lambda guest: []
    )

    def keep(guest, name):
        Path(name).mkdir()
        return Path(name)

    guests.keep, guests.reopen_command = keep, str

known = pytest.mark.finding("6.1-page-order", kernels=">=6.1,<6.9")

def test_passes(): pass
def test_fails(): assert 1 == 2
def test_hangs(): raise GuestHang("waited 1 s")
@known
def test_fails_as_known(): assert 1 == 2
@known
def test_hangs_where_it_is_known_to_fail(): raise GuestHang("waited 1 s")
@pytest.mark.escape("G1")
def test_escapes(): assert 1 == 2
"""
)

NOT_GOOD = {"test_fails", "test_hangs", "test_hangs_where_it_is_known_to_fail"}

GOOD = {"test_passes", "test_fails_as_known", "test_escapes"}


@pytest.mark.parametrize(
    ("keep", "kept"), [("failed", NOT_GOOD), ("all", NOT_GOOD | GOOD), ("none", set[str]())]
)
def test_what_is_kept_depends_on_the_result(keep: str, kept: set[str], tmp_path: Path) -> None:
    write_suite(tmp_path, SUITE)

    done = run_python(["-m", "pytest", f"--keep={keep}", "harness"], cwd=tmp_path)

    assert "results: PASS 1  FAIL 1  CRASH 0  HANG 2  KNOWN 2" in done.stdout
    assert {path.name for path in tmp_path.glob("test_*")} == kept
