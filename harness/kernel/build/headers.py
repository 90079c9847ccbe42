# SPDX-License-Identifier: Apache-2.0
"""The headers that a distribution ships for a kernel: modules are built against them.

The programs in them, fixdep and modpost, are for arm64 and for another C library. Their sources
are in the package of the kernel's source, from which they are compiled for this machine.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.base.cache import Cache
from harness.base.errors import SourceError
from harness.base.progress import step
from harness.base.tools import run_tool
from harness.kernel.build.compiler import Compiler, compiler_text
from harness.kernel.build.given import make_in, module_compiler
from harness.kernel.build.kbuild_files import WANTED_CONFIG
from harness.kernel.build.kconfig import read_config
from harness.kernel.build.make import Make
from harness.kernel.build.module_tree import copy_module_tree
from harness.kernel.build.packaged import PackagedKernel, closure
from harness.kernel.source.apt import Package, extract_package
from harness.kernel.source.workspace import Workspace, open_workspace

HEADERS = re.compile(r"linux-(headers|kbuild)-\S+")
"""Packages that the headers of a kernel consist of."""

IMAGE = "linux-image-"

UNSIGNED = "-unsigned"

COMMON = "*/include/linux/module.h"
"""Marks the folder of headers that all flavours of a kernel share, in /usr/src."""

TOOL_SOURCES = ("basic", "include", "mod")
"""In scripts/ of the kernel's source: what fixdep and modpost are compiled from. ``include`` came
after 6.1."""

ELFCONFIG = "".join(
    f"#define {side}_ELFCLASS ELFCLASS64\n#define {side}_ELFDATA ELFDATA2LSB\n"
    for side in ("KERNEL", "HOST")
)
"""What scripts/mod/mk_elfconfig.c (Linux 6.12) prints for arm64."""

_OFFSET = re.compile(r"->(\w+) [$#]?(-?\d+)")
"""A line that include/linux/kbuild.h makes the compiler print (Linux 6.12)."""

_SERIES = re.compile(r"\d+\.\d+")


@contextmanager
def headers_tree(found: PackagedKernel) -> Iterator[tuple[Workspace, Make]]:
    """Make a tree of the headers of *found*, in which modules can be built for the block.

    Raises SourceError if the distribution has no headers for it.
    """
    release = found.image.removeprefix(IMAGE).removesuffix(UNSIGNED)
    packages = [*closure(found.lists, f"linux-headers-{release}", HEADERS)]
    if not packages:
        raise SourceError(
            f"there are no headers of Linux {release} to build the probe module with: no package "
            f"linux-headers-{release}. 'harness check' needs no probe."
        )
    debs = [one.fetch() for one in packages]
    sources = _tool_sources(found, release)
    with open_workspace(f"packaged-{found.key}") as workspace:
        unpacked, tree = workspace.directory / "headers", workspace.directory / "tree"
        for folder in (unpacked, tree):
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        with step(f"unpacking the headers of {found.title}"):
            for deb in debs:
                extract_package(deb, unpacked)
            folders = unpacked / "usr/src"
            own = folders / f"linux-headers-{release}"
            shared = [path.parents[2] for path in folders.glob(COMMON)]
            common = next((path for path in shared if path != own), own)
            copy_module_tree(common, own, tree)
            shutil.copytree(sources, tree / "scripts", dirs_exist_ok=True)
        config = read_config(tree / WANTED_CONFIG)
        toolchain = module_compiler(config, found.spec)
        toolchain.check()
        _generate(tree / "scripts/mod", toolchain)
        built_with = compiler_text(config)
        with make_in(workspace, tree, toolchain, found.title, built_with) as make:
            yield workspace, make
        for folder in (unpacked, tree):
            shutil.rmtree(folder)


def _generate(folder: Path, toolchain: Compiler) -> None:
    """Write the headers of modpost that kbuild makes with the compiler for arm64."""
    tree = folder.parents[1]
    (folder / "elfconfig.h").write_text(ELFCONFIG)
    places = (
        *("arch/arm64/include", "arch/arm64/include/generated", "include"),
        *("arch/arm64/include/uapi", "arch/arm64/include/generated/uapi"),
        *("include/uapi", "include/generated/uapi"),
    )
    printed = run_tool(
        (
            *(toolchain.program, "-nostdinc", "-D__KERNEL__", "-std=gnu11", "-O2", "-S", "-o", "-"),
            *(f"-I{tree / place}" for place in places),
            *("-include", "linux/kconfig.h", "-include", "linux/compiler_types.h"),
            folder / "devicetable-offsets.c",
        )
    ).decode()
    lines = (f"#define {name} {value}\n" for name, value in _OFFSET.findall(printed))
    (folder / "devicetable-offsets.h").write_text("".join(lines))


def _tool_sources(found: PackagedKernel, release: str) -> Path:
    """A directory with TOOL_SOURCES of the kernel's version."""
    series = _SERIES.match(release)
    name = f"linux-source-{series[0] if series else release}"
    package = found.lists.find(name)
    if package is None:
        raise SourceError(
            f"there is no package {name}, from whose source modpost is compiled to build the probe "
            "module. 'harness check' needs no probe."
        )
    return Cache("kbuild-tools").get(package.sha256, lambda target: _unpack_tools(package, target))


def _unpack_tools(package: Package, target: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as name:
        scratch = Path(name)
        extract_package(package.fetch(), scratch)
        archive = next((scratch / "usr/src").glob("linux-source-*.tar.*"))
        with step(f"unpacking the tools of {package.name}"):
            options = ("--extract", "--strip-components=1", "--wildcards", "--directory", scratch)
            run_tool(("tar", *options, "--file", archive, "*/scripts/*"))
        for folder in TOOL_SOURCES:
            if (scratch / "scripts" / folder).is_dir():
                (scratch / "scripts" / folder).rename(target / folder)
