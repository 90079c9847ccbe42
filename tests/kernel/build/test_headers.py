# SPDX-License-Identifier: Apache-2.0
"""Modules are built against a distribution's headers, with tools of this machine."""

import io
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest
from kernel_builds import CROSS, FILES, SOURCES
from made_up_packages import Deb, Lists

from harness.base.errors import BuildError, InputError, SourceError
from harness.kernel import KernelSpec
from harness.kernel.build.compiler import Compiler
from harness.kernel.build.given import UNTRACED
from harness.kernel.build.headers import headers_tree
from harness.kernel.build.packaged import PackagedKernel

pytestmark = pytest.mark.usefixtures("cache")

RELEASE = "6.12.9+deb13-arm64"

OWN, COMMON = f"usr/src/linux-headers-{RELEASE}", "usr/src/linux-headers-6.12.9+deb13-common"

KBUILD = "usr/lib/linux-kbuild-6.12.9+deb13"

OFFSETS = """\
#include <linux/kbuild.h>
void f(void) { asm volatile("\\n.ascii \\"->OFF_x %0 offsetof\\"" : : "i" (4)); }
"""

MODPOST = """\
#include <list.h>
#include "elfconfig.h"
#include "devicetable-offsets.h"
int main(void) { return KERNEL_ELFCLASS + HOST_ELFCLASS + OFF_x - 4 - 2 * ELFCLASS64; }
"""

TOOLS = {
    "scripts/include/list.h": "enum { ELFCLASS64 = 2 };\n",
    "scripts/basic/fixdep.c": "int main(void) { return 0; }\n",
    "scripts/mod/modpost.c": MODPOST,
    "scripts/mod/devicetable-offsets.c": OFFSETS,
    "kernel/fork.c": "",
}


def source_package() -> Deb:
    """A package with a kernel's source: its tools, and more."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as archive:
        for name, text in TOOLS.items():
            member = tarfile.TarInfo(f"linux-source-6.12/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    place = "usr/src/linux-source-6.12.tar.xz"
    return Deb("linux-source-6.12", {place: packed.getvalue()})


def encoded(place: str, files: Mapping[str, str]) -> dict[str, bytes]:
    return {f"{place}/{name}": text.encode() for name, text in files.items()}


def headers() -> tuple[Deb, ...]:
    """The headers of one kernel: its own, those that it shares, and scripts."""
    own = {**FILES, "arch/arm64/module.lds": "SECTIONS"}
    shared = {name: text for name, text in SOURCES.items() if not name.startswith("scripts/")}
    shared |= {
        "include/linux/kconfig.h": "",
        "include/linux/compiler_types.h": "",
        "include/linux/kbuild.h": "",
        "scripts/Makefile.build": "",
    }
    needs = (("linux-headers-6.12.9+deb13-common",), ("linux-kbuild-6.12.9+deb13",), ("gcc-14",))
    return (
        Deb(f"linux-headers-{RELEASE}", encoded(OWN, own), needs),
        Deb(needs[0][0], encoded(COMMON, shared)),
        Deb(
            needs[1][0],
            {
                **encoded(KBUILD, {"scripts/mod/modpost": "for another machine"}),
                "usr/src/linux-kbuild-6.12.9+deb13/scripts/Makefile.build": b"",
            },
        ),
    )


def found(folder: Path, *debs: Deb, compiler: str = "") -> PackagedKernel:
    folder.mkdir()
    lists = Lists(folder, (Deb(f"linux-image-{RELEASE}"), *debs))
    image = lists.find(f"linux-image-{RELEASE}")
    spec = KernelSpec("package:linux-image-arm64", compiler=compiler)
    return PackagedKernel("linux-image-arm64", lists, (image,), None, spec)  # type: ignore[arg-type] # stand for apt's


def test_a_tree_is_made_of_all_headers_with_tools_of_this_machine(tmp_path: Path) -> None:
    kernel = found(tmp_path / "debs", *headers(), source_package())

    with headers_tree(kernel) as (_, make):
        files = {
            str(path.relative_to(make.source)) for path in make.source.rglob("*") if path.is_file()
        }
        subprocess.run([make.source / "scripts/basic/fixdep"], check=True)
        subprocess.run([make.source / "scripts/mod/modpost"], check=True)

    assert files >= {
        *("Makefile", ".config", "Module.symvers", "include/linux/module.h"),
        *("include/generated/autoconf.h", "arch/arm64/module.lds"),
    }
    assert "kernel/fork.c" not in files


@pytest.mark.parametrize("accepts", [True, False])
def test_a_compiler_that_cannot_align_functions_builds_a_module_that_ftrace_leaves_alone(
    accepts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Compiler, "accepts", lambda *_: accepts)
    kernel = found(tmp_path / "debs", *headers(), source_package())

    with headers_tree(kernel) as (_, make):
        words = make.command("modules")

    assert ({UNTRACED, "CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT="} <= set(words)) is not accepts


def test_a_module_that_does_not_compile_is_told_with_both_compilers(tmp_path: Path) -> None:
    kernel = found(tmp_path / "debs", *headers(), source_package())

    with (
        pytest.raises(BuildError, match=rf"linux-image-arm64 .*'gcc 12', by .*'{CROSS}gcc.*: so"),
        headers_tree(kernel),
    ):
        raise BuildError("so")


def test_a_compiler_of_the_other_kind_cannot_build_modules(tmp_path: Path) -> None:
    kernel = found(tmp_path / "debs", *headers(), source_package(), compiler="clang")

    with (
        pytest.raises(InputError, match="clang cannot build modules for it"),
        headers_tree(kernel),
    ):
        pass


def test_a_kernel_without_headers_is_refused(tmp_path: Path) -> None:
    kernel = found(tmp_path / "debs", source_package())

    with (
        pytest.raises(SourceError, match=r"no package linux-headers-6\.12\.9\+deb13-arm64\."),
        headers_tree(kernel),
    ):
        pass


def test_a_kernel_whose_source_is_not_there_is_refused(tmp_path: Path) -> None:
    kernel = found(tmp_path / "debs", *headers())

    with (
        pytest.raises(SourceError, match=r"there is no package linux-source-6\.12, from whose"),
        headers_tree(kernel),
    ):
        pass
