# SPDX-License-Identifier: Apache-2.0
"""How QEMU emulates the CPUs of a guest."""

import pytest

from harness.machine.machine import accelerator


@pytest.mark.parametrize(("cpus", "wanted"), [({0}, "tcg,thread=single"), ({0, 1}, "tcg")])
def test_one_host_cpu_has_one_thread(
    cpus: set[int], wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: cpus)

    assert accelerator() == wanted
