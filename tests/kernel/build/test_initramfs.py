# SPDX-License-Identifier: Apache-2.0
"""An initial RAM file system with modules of the kernel's own."""

import subprocess
from pathlib import Path

import pytest
from kernel_builds import CROSS, link_kernel, tiny_build

from harness.base.errors import InputError
from harness.kernel import Kernel, KernelSpec, build_initramfs, build_kernel
from harness.kernel.build.initramfs import build_plain_initramfs
from harness.kernel.build.make import Make
from harness.kernel.build.modules import Module
from harness.kernel.source.workspace import Workspace

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


def test_a_probe_is_built_again_for_other_headers_and_must_fit_the_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build = tiny_build(tmp_path / "build")
    header = build / "include/linux/module.h"
    header.write_text("struct device { int a; };")
    link_kernel(build, text=f"{header.read_text()} struct device one;")

    def compile_probe(workspace: Workspace, make: Make) -> Path:
        probe = workspace.directory / "probe.ko"
        code = (make.source / "include/linux/module.h").read_text() + " struct device one;"
        command = [f"{CROSS}gcc", "-g", "-c", "-x", "c", "-", "-o", probe]
        subprocess.run(command, input=code.encode(), check=True)
        return probe

    monkeypatch.setattr("harness.kernel.build.initramfs.build_probe", compile_probe)
    spec = KernelSpec(f"build:{build}")
    kernel = build_kernel(spec)
    before = build_initramfs(kernel, spec).key

    header.write_text("struct device { int a, b; };")
    with pytest.raises(InputError, match="the headers of the kernel were changed after it was"):
        build_initramfs(kernel, spec)

    header.write_text("struct device { int a; };")
    assert build_initramfs(kernel, spec).key == before
