# SPDX-License-Identifier: Apache-2.0
"""Modules for a kernel that is built already: what they are made with is checked, and copied."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from kernel_builds import (
    CROSS,
    RELEASE,
    add_line,
    copied,
    given,
    remove,
    spec_of,
    tiny_build,
    without_modules,
)

from harness.base.errors import InputError
from harness.kernel import build_kernel
from harness.kernel.build.given import (
    find_build,
    given_tree,
    module_parts,
    probe_inputs,
)
from harness.kernel.build.module_checks import check_fits

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return tiny_build(tmp_path / "build")


def modules_refusal(build: Path) -> str:
    """Why no module can be built for *build*, a kernel that can be taken."""
    found = find_build(spec_of(build))
    with pytest.raises(InputError) as refused:
        module_parts(found)
    return str(refused.value)


def forcing_signatures(build: Path) -> None:
    for name in (".config", "include/config/auto.conf"):
        add_line(build, name, "CONFIG_MODULE_SIG_FORCE=y\n")


def emptied(name: str) -> Callable[[Path], None]:
    return lambda build: (build / name).write_text("")


def stripped(build: Path) -> None:
    subprocess.run([f"{CROSS}strip", build / "vmlinux"], check=True)


WITHOUT_MODULES = {
    "no symvers": (remove("Module.symvers"), "it has no Module.symvers, with which modules"),
    "no headers": (remove("include/linux/module.h"), "which has no include/linux/module.h"),
    "empty symvers": (emptied("Module.symvers"), "Module.symvers names no symbol of vmlinux"),
    "stripped": (stripped, "vmlinux has no symbol table: it was stripped"),
    "no generated headers": (
        lambda build: shutil.rmtree(build / "arch/arm64/include/generated"),
        "it has no arch/arm64/include/generated, with which modules are built",
    ),
    "no makefile": (remove("arch/arm64/Makefile"), "which has no arch/arm64/Makefile"),
    "signed modules": (forcing_signatures, "Build it without CONFIG_MODULE_SIG_FORCE"),
    "no modules": (without_modules, "Set CONFIG_MODULES=y"),
    "other exports": (
        lambda build: add_line(build, "Module.symvers", "0x1\tgone\tvmlinux\tEXPORT_SYMBOL\t\n"),
        "is of another build than vmlinux: gone is not in vmlinux",
    ),
}


@pytest.mark.parametrize("fault", WITHOUT_MODULES)
def test_a_build_that_no_module_can_be_built_for_is_refused_then(build: Path, fault: str) -> None:
    spoil, said = WITHOUT_MODULES[fault]
    spoil(build)

    assert said in modules_refusal(build)


def test_a_build_outside_its_source_tree_knows_that_tree(tmp_path: Path) -> None:
    source = tmp_path / "source"
    build = tiny_build(tmp_path / "build", source)

    assert module_parts(given(build)).source == source


def test_a_build_whose_source_tree_is_gone_is_refused(tmp_path: Path) -> None:
    build = tiny_build(tmp_path / "build", tmp_path / "source")
    (tmp_path / "source").rename(tmp_path / "moved")

    assert (
        f"was built from the source tree {tmp_path}/source, which has no Makefile"
        in modules_refusal(build)
    )


@pytest.mark.parametrize("outside", [False, True])
def test_modules_are_built_in_a_copy_with_tools_of_this_machine(
    outside: bool, tmp_path: Path
) -> None:
    build = tiny_build(tmp_path / "build", tmp_path / "source" if outside else None)
    (build / "scripts/basic").mkdir(exist_ok=True)
    (build / "scripts/basic/fixdep").write_text("a program for another machine")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}

    with given_tree(given(build)) as (_, make):
        files = {
            str(path.relative_to(make.source)) for path in make.source.rglob("*") if path.is_file()
        }
        subprocess.run([make.source / "scripts/basic/fixdep"], check=True)
        subprocess.run([make.source / "scripts/mod/modpost"], check=True)

    assert files >= {
        *("Makefile", "include/linux/module.h", "include/linux/atomic/atomic-long.h"),
        *("include/generated/autoconf.h", "arch/arm64/include/generated/asm/types.h"),
        *("include/config/auto.conf", "scripts/module.lds", ".config", "Module.symvers"),
    }
    assert "include/config/SPLIT" not in files
    assert before.items() <= {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}.items()


@pytest.mark.parametrize(
    "name", [".config", "include/config/auto.conf", "Module.symvers", "modules.order", "Makefile"]
)
def test_text_that_is_not_utf_8_is_no_traceback(build: Path, name: str) -> None:
    with (build / name).open("ab") as file:
        file.write(b"\n# \xff\n")

    assert given(build).key
    assert module_parts(given(build)).source == build


def test_what_only_modules_need_is_not_asked_of_the_kernel(build: Path) -> None:
    without_modules(build)
    (build / "Module.symvers").unlink()
    shutil.rmtree(build / "scripts")

    assert build_kernel(spec_of(build)).release == RELEASE


def test_a_probe_is_of_the_headers_that_it_was_built_with(build: Path, tmp_path: Path) -> None:
    before = probe_inputs(given(build))

    assert probe_inputs(given(copied(build, tmp_path / "other"))) == before

    for name in ("include/linux/module.h", "include/generated/utsrelease.h"):
        changed = copied(build, tmp_path / name.replace("/", "-"))
        (changed / name).write_text("#define CHANGED\n")
        assert probe_inputs(given(changed)) != before


def test_a_link_of_the_build_directory_replaces_that_of_the_source(tmp_path: Path) -> None:
    source = tmp_path / "source"
    build = tiny_build(tmp_path / "build", source)
    (build / "scripts/link").symlink_to("another")

    with given_tree(given(build)) as (_, make):
        assert (make.source / "scripts/link").readlink() == Path("another")


def test_headers_that_cannot_be_copied_are_named(build: Path) -> None:
    os.mkfifo(build / "arch/arm64/include/generated/pipe.h")

    with (
        pytest.raises(InputError, match=r"cannot be copied: .*pipe.h.* is a named pipe"),
        given_tree(given(build)),
    ):
        pass


def test_a_module_that_does_not_fit_the_kernel_is_refused(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("vmlinux", "probe.ko")]
    for path, text in zip(paths, ("int a;", "int a, b;"), strict=True):
        code = f"struct device {{ {text} }} one;"
        command = [f"{CROSS}gcc", "-g", "-c", "-x", "c", "-", "-o", path]
        subprocess.run(command, input=code.encode(), check=True)
    vmlinux, probe = paths

    check_fits(vmlinux, vmlinux)
    with pytest.raises(InputError, match=r"struct device has 8 bytes in a module .* and 4 in"):
        check_fits(probe, vmlinux)
