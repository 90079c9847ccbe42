# SPDX-License-Identifier: Apache-2.0
"""A kernel's compiler: named as with the kernel's own make, in the key of what it builds."""

from pathlib import Path

import pytest
from kernel_builds import tiny_build

from harness.base.errors import ConfigError, HostError, InputError
from harness.kernel import KernelSpec
from harness.kernel.build.build import Plan, plan_kernel
from harness.kernel.build.compiler import (
    DEFAULT,
    Compiler,
    compiler_for,
    compiler_named,
    compiler_of_environment,
)
from harness.kernel.build.fragment import Wanted
from harness.kernel.build.given import find_build, module_parts
from harness.kernel.build.make import Make


@pytest.mark.parametrize(
    ("name", "program", "words"),
    [
        ("gcc", "aarch64-linux-gnu-gcc", {"CROSS_COMPILE=aarch64-linux-gnu-"}),
        ("gcc-13", "aarch64-linux-gnu-gcc-13", {"CROSS_COMPILE=aarch64-linux-gnu-"}),
        ("aarch64-none-linux-gnu-gcc", None, {"CROSS_COMPILE=aarch64-none-linux-gnu-"}),
        ("/opt/bin/aarch64-gcc", None, {"CROSS_COMPILE=/opt/bin/aarch64-"}),
        ("clang", None, {"LLVM=1", "LD=ld.lld", "STRIP=llvm-strip"}),
        ("clang-19", None, {"LLVM=1", "LD=ld.lld-19", "STRIP=llvm-strip-19"}),
        ("/opt/llvm/bin/clang", None, {"LLVM=1", "LD=/opt/llvm/bin/ld.lld"}),
    ],
)
def test_a_compiler_is_used_with_its_own_tools(
    name: str, program: str | None, words: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.kernel.build.compiler.CROSS", "aarch64-linux-gnu-")

    command = Make(tmp_path, tmp_path, 0, compiler=compiler_named(name)).command("Image")

    assert {f"CC=ccache {program or name}", *words} <= set(command)


@pytest.mark.parametrize("name", ["", "tcc", "gcc13", "clang-", "clang-19-gcc-", "clang++"])
def test_a_name_that_is_no_compiler_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"unknown compiler .*: expected 'gcc', 'gcc-13'"):
        compiler_named(name)


@pytest.mark.parametrize(
    ("environment", "name"),
    [
        ({}, ""),
        ({"CC": "tcc"}, ""),
        ({"CROSS_COMPILE": "aarch64-linux-gnu-"}, ""),
        ({"CROSS_COMPILE": "aarch64-none-elf-"}, "aarch64-none-elf-gcc"),
        ({"LLVM": "1"}, "clang"),
        ({"LLVM": "-19", "CROSS_COMPILE": "aarch64-none-elf-"}, "clang-19"),
        ({"LLVM": "/opt/llvm/bin/"}, "/opt/llvm/bin/clang"),
    ],
)
def test_the_environment_names_a_compiler_as_for_the_kernels_make(
    environment: dict[str, str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.kernel.build.compiler.CROSS", "aarch64-linux-gnu-")

    assert compiler_of_environment(environment) == name


def test_a_compiler_that_is_not_installed_is_named_with_its_packages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("harness.base.tools.has_apt", lambda: True)

    with pytest.raises(
        HostError, match=r"needs the program 'clang-99', .*apt-get install clang-99 lld-99 llvm-99"
    ):
        compiler_named("clang-99").check()


def test_a_compiler_for_another_processor_is_refused(tmp_path: Path) -> None:
    for tool in ("gcc", "ld"):
        path = tmp_path / f"arm-{tool}"
        path.write_text("#!/bin/sh\necho arm-linux-gnueabihf\n")
        path.chmod(0o755)

    with pytest.raises(InputError, match=r"arm-gcc compiles for arm-linux-gnueabihf: .*CROSS_COM"):
        compiler_named(f"{tmp_path}/arm-gcc").check()


@pytest.mark.parametrize(
    ("config", "installed", "name"),
    [
        ({"CC_IS_GCC": "y", "GCC_VERSION": "130200"}, True, "gcc-13"),
        ({"CC_IS_GCC": "y", "GCC_VERSION": "130200"}, False, "gcc"),
        ({"CC_IS_CLANG": "y", "CLANG_VERSION": "190107", "GCC_VERSION": "0"}, True, "clang-19"),
        ({"CC_IS_CLANG": "y", "CLANG_VERSION": "190107"}, False, "clang"),
    ],
)
def test_modules_are_built_by_the_compiler_of_their_kernel(
    config: dict[str, str], installed: bool, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.kernel.build.compiler.is_present", lambda _: installed)

    assert compiler_for(config).name == name


def test_a_compiler_of_the_other_kind_is_refused_for_a_kernel_that_is_built(tmp_path: Path) -> None:
    build = tiny_build(tmp_path / "build")

    with pytest.raises(InputError, match="was built with 'gcc 12': clang cannot build modules"):
        module_parts(find_build(KernelSpec(f"build:{build}", compiler="clang")))


class Tree:
    """The source of a plan."""

    identity = title = workspace = "tree"


def plan(compiler: Compiler) -> Plan:
    return Plan(Tree(), (), Wanted({}), compiler, KernelSpec())  # type: ignore[arg-type] # no more


def test_another_compiler_builds_another_kernel_in_another_directory(tmp_path: Path) -> None:
    mine = tmp_path / "clang"
    mine.write_text("#!/bin/sh\necho my clang 1\n")
    mine.chmod(0o755)
    for tool in compiler_named(str(mine)).tools[1:]:
        Path(tool).symlink_to(mine)
    one, two = plan(DEFAULT), plan(compiler_named(str(mine)))

    assert one.key != two.key
    assert one.build_name != two.build_name


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> None:
    """A source of Linux 6.12 that is not unpacked."""
    tree = Tree()
    tree.version = "6.12"  # type: ignore[attr-defined] # read by nobody here
    monkeypatch.setattr("harness.kernel.build.build.resolve_source", lambda _: tree)


def fragment(path: Path, text: str) -> tuple[Path, ...]:
    path.write_text(text)
    return (path,)


@pytest.mark.usefixtures("source")
@pytest.mark.parametrize(("asked", "named"), [("", "clang-99"), ("gcc", "gcc")])
def test_a_fragment_may_name_the_compiler_which_an_option_overrules(
    asked: str, named: str, tmp_path: Path
) -> None:
    fragments = fragment(tmp_path / "mine.config", "#: compiler clang-99\n")
    spec = KernelSpec(fragments=fragments, compiler=asked)

    try:
        chosen = plan_kernel(spec).compiler.name
    except HostError as fault:
        chosen = str(fault).split("'")[1]

    assert chosen == named


@pytest.mark.usefixtures("source")
def test_a_fragment_with_an_unknown_compiler_is_refused_with_its_line(tmp_path: Path) -> None:
    fragments = fragment(tmp_path / "mine.config", "\n#: compiler tcc\n")

    with pytest.raises(ConfigError, match=r"mine\.config:2: unknown compiler 'tcc'"):
        plan_kernel(KernelSpec(fragments=fragments))


@pytest.mark.usefixtures("source")
def test_lines_are_counted_with_the_default_compiler_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.kernel.build.compiler.Compiler.check", lambda _: None)
    fragments = fragment(tmp_path / "mine.config", "CONFIG_GCOV_KERNEL=y\n")

    with pytest.raises(InputError, match="leave out --compiler=clang"):
        plan_kernel(KernelSpec(fragments=fragments, compiler="clang"))
