# SPDX-License-Identifier: Apache-2.0
"""How hosts of several architectures compile for arm64 and emulate its CPUs."""

import importlib
import platform
from collections.abc import Iterator

import pytest

from harness.base import architecture


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    importlib.reload(architecture)


@pytest.mark.parametrize(("cpus", "wanted"), [({0}, "tcg,thread=single"), ({0, 1}, "tcg")])
def test_one_host_cpu_has_one_thread(
    cpus: set[int], wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: cpus)

    assert architecture.accelerator() == wanted


@pytest.mark.parametrize(
    ("machine", "cross", "kvm"),
    [
        ("x86_64", "aarch64-linux-gnu-", "KVM cannot run arm64 on x86_64"),
        ("aarch64", "", "KVM is not supported yet"),
    ],
)
def test_the_compiler_is_the_hosts_own_on_arm64_only(
    machine: str, cross: str, kvm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(platform, "machine", lambda: machine)
        importlib.reload(architecture)

        assert cross == architecture.CROSS
        assert kvm in architecture.NO_KVM
        assert "tcg" in architecture.accelerator()
