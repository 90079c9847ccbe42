# SPDX-License-Identifier: Apache-2.0
"""A copy of a kernel's tree, as far as building a module needs it, with tools that run here.

It has what Linux's own scripts/package/install-extmod-build (6.12) puts into a package of headers:
source and build directory in one. fixdep and modpost, which kbuild runs, are compiled for this
machine: those of the build may need another C library or another processor.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.base.errors import BuildError, ToolError
from harness.base.tools import run_tool
from harness.kernel.build.kbuild_files import (
    ARCH_GENERATED_HEADERS,
    BUILT_CONFIG,
    EXPORTS,
    FIXDEP,
    GENERATED_HEADERS,
    MODPOST,
    RELEASE,
    WANTED_CONFIG,
)

SOURCES = ("Makefile", "arch/arm64/Makefile", "arch/arm64/include", "include", "scripts")
"""Of the source tree."""

LINKER_SCRIPT = "arch/arm64/module.lds"
"""Debian's packages of headers have it here, and look for it here too; others have none."""

GENERATED = (
    *(WANTED_CONFIG, EXPORTS, GENERATED_HEADERS, BUILT_CONFIG, RELEASE),
    *(ARCH_GENERATED_HEADERS, "scripts", LINKER_SCRIPT),
)
"""Of the build directory."""

HEADERS = ("arch/arm64/include", "include", "scripts/module.lds")
"""What a module is compiled and linked with, in the source tree and in the build directory."""

_unneeded = shutil.ignore_patterns("*.o", "*.a", "*.cmd", "*.d", "config", "generated")
"""What a compiler left, and what is copied as GENERATED."""

_HEADER_MAKERS = frozenset({"devicetable-offsets.c", "empty.c", "mk_elfconfig.c"})
"""In the directory of modpost; the headers are GENERATED."""


def copy_module_tree(source: Path, output: Path, tree: Path) -> None:
    """Fill *tree* from a kernel's *source* and its build directory *output*, which may be one."""
    generated = [name for name in GENERATED if source != output or name not in SOURCES]
    for origin, names in ((source, SOURCES), (output, generated)):
        for path in map(Path, names):
            if path == Path(LINKER_SCRIPT) and not (origin / path).exists():
                continue
            target = tree / path
            target.parent.mkdir(parents=True, exist_ok=True)
            if (origin / path).is_dir():
                ignored = None if path.name == "generated" else _unneeded
                _make_room(origin / path, target)
                shutil.copytree(
                    *(origin / path, target),
                    symlinks=True,
                    ignore=ignored,
                    dirs_exist_ok=True,
                )
            else:
                shutil.copy2(origin / path, target)


def _make_room(origin: Path, target: Path) -> None:
    """Remove from *target* what *origin* has as a link, and links to files that it has.

    copytree() replaces files only by files.
    """
    for path in origin.rglob("*"):
        there = target / path.relative_to(origin)
        if there.is_symlink() or (path.is_symlink() and there.is_file()):
            there.unlink()


def headers_in(source: Path, output: Path) -> Mapping[str, Path]:
    """The headers that modules are built with, by their path in the tree.

    *source* and *output*, the build directory, may be the same.
    """
    found = {name: output / name for name in (BUILT_CONFIG, RELEASE)}
    for origin in (source, output):
        for name in HEADERS:
            found |= {str(path.relative_to(origin)): path for path in _files(origin / name)}
    return dict(sorted(found.items()))


def _files(path: Path) -> Iterator[Path]:
    """*path*, or the files below it, except what make notes of options."""
    if path.is_file():
        yield path
    for folder, names, files in os.walk(path):
        if Path(folder) == path and "config" in names:
            names.remove("config")
        yield from (one for name in files if (one := Path(folder, name)).is_file())


def compile_tools(tree: Path) -> None:
    """Compile fixdep and modpost of *tree*; leave one whose source *tree* does not have.

    Raises BuildError if one does not compile.
    """
    for tool in (FIXDEP, MODPOST):
        main = tree / f"{tool}.c"
        siblings = main.parent.glob("*.c") if tool == MODPOST else [main]
        sources = sorted(path for path in siblings if path.name not in _HEADER_MAKERS)
        if not main.is_file():
            continue
        try:
            run_tool(["gcc", "-O1", f"-I{tree}/scripts/include", "-o", tree / tool, *sources])
        except ToolError as fault:
            raise BuildError(f"{tool} of the kernel's tree does not compile: {fault}") from fault
