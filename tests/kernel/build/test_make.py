# SPDX-License-Identifier: Apache-2.0
"""What make printed is condensed, and what it still has to do is known beforehand."""

import os
from pathlib import Path

import pytest

from harness.kernel.build.compiler import compiler_named
from harness.kernel.build.make import FIXED, Make, environment, first_error, warnings_in
from harness.kernel.build.objects import count_stale

COMPILER = """\
  CC      kernel/fork.o
  CC      kernel/dma/swiotlb.o
../src/kernel/dma/swiotlb.c: In function 'f':
../src/kernel/dma/swiotlb.c:7:9: error: 'slots' undeclared
    7 |  return slots;
      |         ^~~~~
make[4]: *** [scripts/Makefile.build:229: kernel/dma/swiotlb.o] Error 1
kernel/fork.c:1:1: error: second
"""
LINKER = "  LD      vmlinux\nld: swiotlb.o: in function `f':\nx.c: undefined reference to `g'\n"
MODPOST = '  MODPOST Module.symvers\nERROR: modpost: "g" [probe.ko] undefined!\n'
ASSEMBLER = "x.S: Assembler messages:\nx.S:3: Error: unknown mnemonic `hlt'\n"
TOOL = "/bin/sh: 1: bc: not found\nmake[1]: *** [Kbuild:24: timeconst.h] Error 127\n"


@pytest.mark.parametrize(
    ("log", "error"),
    [
        (COMPILER, "kernel/dma/swiotlb.c:7:9: error: 'slots' undeclared"),
        (LINKER, "x.c: undefined reference to `g'"),
        (MODPOST, 'ERROR: modpost: "g" [probe.ko] undefined!'),
        (ASSEMBLER, "x.S:3: Error: unknown mnemonic `hlt'"),
        (TOOL, "make[1]: *** [Kbuild:24: timeconst.h] Error 127"),
        ("something else\n", "something else"),
        ("", "make printed nothing"),
    ],
    ids=["compiler", "linker", "modpost", "assembler", "tool", "unknown", "empty"],
)
def test_first_error_is_found(tmp_path: Path, log: str, error: str) -> None:
    (tmp_path / "log").write_text(log)
    assert first_error(tmp_path / "log").splitlines()[0] == error


def test_lines_that_explain_the_error_are_kept_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "log").write_text(COMPILER)
    assert len(first_error(tmp_path / "log").splitlines()) == 3


def test_warnings_are_found_once_and_named_by_their_place_in_the_tree(tmp_path: Path) -> None:
    unused = "../src/kernel/dma/swiotlb.c:3:5: warning: unused variable 'x' [-Wunused-variable]"
    section = "WARNING: modpost: vmlinux: section mismatch in reference: f+0x8 -> g"
    kconfig = "warning: (A) selects B which has unmet direct dependencies (C)"
    (tmp_path / "log").write_text(f"{COMPILER}{unused}\n    3 | x;\n{unused}\n{section}\n{kconfig}")

    found = warnings_in(tmp_path / "log")

    assert found == (unused.removeprefix("../src/"), section, kconfig)
    assert warnings_in(tmp_path / "none") == ()


def test_users_settings_do_not_leak_into_a_build(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAKEFLAGS", "CFLAGS", "KCFLAGS", "ARCH", "LOCALVERSION", "CCACHE_DISABLE"):
        monkeypatch.setenv(name, "wrong")
    assert "wrong" not in environment().values()


def test_what_differs_from_build_to_build_is_fixed(tmp_path: Path) -> None:
    words = Make(tmp_path, tmp_path, 0).command("Image")
    assert {f"{name}={value}" for name, value in FIXED.items()} <= set(words)


@pytest.mark.parametrize("compiler", ["gcc", "clang-19"])
def test_the_tools_of_a_build_are_linked_by_gccs_linker(tmp_path: Path, compiler: str) -> None:
    words = Make(tmp_path, tmp_path, 0, compiler=compiler_named(compiler)).command("Image")

    assert "HOSTCC=ccache gcc" in words
    assert "HOSTLDFLAGS=-fuse-ld=bfd" in words


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Return a build directory where kernel/fork.o is newer than all that it is made from."""
    directory = tmp_path / "build"
    files = ("kernel/fork.o", "include/config/SMP", "../src/fork.c", "../src/sched.h")
    for name in files:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (1000, 1000))
    source = tmp_path / "src"
    (directory / "kernel/.fork.o.cmd").write_text(
        f"savedcmd_kernel/fork.o := gcc -I{source} -isystem {source} -o kernel/fork.o\n\n"
        f"source_kernel/fork.o := {source}/fork.c\n\n"
        "deps_kernel/fork.o := \\\n"
        "    $(wildcard include/config/SMP) \\\n"
        "    $(wildcard include/config/NUMA) \\\n"
        f"  {source}/sched.h \\\n\n"
        "kernel/fork.o: $(deps_kernel/fork.o)\n"
    )
    return directory


def test_object_newer_than_its_sources_is_not_counted(output: Path) -> None:
    assert count_stale(output) == 0


@pytest.mark.parametrize("name", ["../src/fork.c", "../src/sched.h"])
def test_object_older_than_a_source_is_counted(output: Path, name: str) -> None:
    (output / name).touch()
    assert count_stale(output) == 1


def test_object_that_is_gone_is_counted(output: Path) -> None:
    (output / "kernel/fork.o").unlink()
    assert count_stale(output) == 1


def test_empty_build_directory_has_nothing_stale(tmp_path: Path) -> None:
    assert count_stale(tmp_path) == 0
