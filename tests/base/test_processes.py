# SPDX-License-Identifier: Apache-2.0
"""Work is done in processes of its own, and here where the host cannot have a pool of them."""

import errno
import multiprocessing
import os
from types import SimpleNamespace

import pytest

from harness.base.processes import processes


def test_work_is_done_in_other_processes() -> None:
    with processes(1) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()


def test_without_shared_memory_work_is_done_one_by_one(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refuse() -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(multiprocessing, "get_context", lambda _: SimpleNamespace(Lock=refuse))

    with processes(3) as pool:
        assert pool.submit(os.getpid).result() == os.getpid()

    assert "/dev/shm cannot be used (no such file or directory)" in capfd.readouterr().err
