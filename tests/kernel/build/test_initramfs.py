# SPDX-License-Identifier: Apache-2.0
"""An initial RAM file system with modules of the kernel's own."""

import subprocess
from pathlib import Path

import pytest
from kernel_builds import CROSS

from harness.kernel import Kernel
from harness.kernel.build.initramfs import build_plain_initramfs
from harness.kernel.build.modules import Module

NVME = (Module("nvme_core", b"core"), Module("nvme", b"nvme"))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    source, busybox = tmp_path / "busybox.c", tmp_path / "busybox"
    source.write_text("int main(void) { return 0; }\n")
    subprocess.run([f"{CROSS}gcc", "-static", "-o", busybox, source], check=True)
    monkeypatch.setenv("HARNESS_BUSYBOX", str(busybox))


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel("key", tmp_path, "6.12", "00", "a package", (), "gcc")


def content(archive: Path, into: Path) -> dict[str, bytes]:
    into.mkdir()
    argv = ["cpio", "--extract", "--quiet", "--make-directories", "--nonmatching", "dev/*"]
    subprocess.run(argv, check=True, cwd=into, input=archive.read_bytes())
    files = sorted(path for path in into.rglob("*") if path.is_file())
    return {str(path.relative_to(into)): path.read_bytes() for path in files}


def test_modules_are_listed_in_their_order_for_the_loader(kernel: Kernel, tmp_path: Path) -> None:
    files = content(build_plain_initramfs(kernel, NVME).path, tmp_path / "out")

    order = files["lib/modules/order"].decode().splitlines()
    assert order == ["/lib/modules/nvme_core.ko", "/lib/modules/nvme.ko"]
    assert [files[path.removeprefix("/")] for path in order] == [b"core", b"nvme"]
    assert files["init"] != files["bin/agent"]


def test_other_modules_are_another_file_system(kernel: Kernel) -> None:
    both = build_plain_initramfs(kernel, NVME)

    assert build_plain_initramfs(kernel, NVME[:1]).key != both.key
    assert build_plain_initramfs(kernel, (NVME[0], Module("nvme", b"new"))).key != both.key
