# SPDX-License-Identifier: Apache-2.0
"""Checks of a kernel that is built already: that the probe, a module, can be built and loaded.

Each raises InputError, which says what was found and what to do. ``harness check`` loads no probe,
and needs none of this.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from harness.base.errors import InputError
from harness.kernel.build.build_checks import MAKE, lacking, some
from harness.kernel.build.kbuild_files import (
    ARCH_GENERATED_HEADERS,
    EXPORTS,
    GENERATED_HEADERS,
    VMLINUX,
)
from harness.kernel.build.module_tree import SOURCES
from harness.kernel.dwarf import types_in
from harness.kernel.elf import open_elf

NEEDED = (EXPORTS, GENERATED_HEADERS, ARCH_GENERATED_HEADERS)
"""In the build directory."""

NEEDED_SOURCES = (*SOURCES, "include/linux/module.h", "scripts/Makefile.build")

STRUCTURES = ("device", "pci_dev", "platform_device", "module", "task_struct", "page", "file")
"""Structures that modules share with the kernel; most options change the size of one."""

_INCLUDED = re.compile(r"^include (/\S+)/Makefile$", re.MULTILINE)


def check_loads_modules(directory: Path, config: Mapping[str, str]) -> None:
    """Check that a kernel with *config* can load the probe."""
    for refused, reason, remedy in (
        (
            "MODULES" not in config,
            "cannot load modules",
            "Set CONFIG_MODULES=y and build the kernel again",
        ),
        (
            "MODULE_SIG_FORCE" in config,
            "loads signed modules only",
            "Build it without CONFIG_MODULE_SIG_FORCE; CONFIG_MODULE_SIG alone is fine",
        ),
    ):
        if refused:
            raise InputError(
                f"build:{directory} {reason}, and so not the probe, through which the tests call "
                f"the DMA API. {remedy}. 'harness check' needs no probe."
            )


def check_module_parts(directory: Path) -> None:
    """Check that all parts of a build are there that modules are built with."""
    if missing := lacking(directory, NEEDED):
        raise InputError(
            f"build:{directory} is not a complete kernel build: it has no {', '.join(missing)}, "
            f"with which modules are built. Run {MAKE} there. 'harness check' needs no modules."
        )


def source_of(directory: Path) -> Path:
    """The source tree that *directory* was built from; InputError if it is not there."""
    link, makefile = directory / "source", directory / "Makefile"
    source = directory
    if link.is_symlink():
        source = directory / link.readlink()
    elif makefile.is_file() and (found := _INCLUDED.search(_head(makefile))):
        source = Path(found[1])
    if missing := lacking(source, NEEDED_SOURCES):
        raise InputError(
            f"build:{directory} was built from the source tree {source}, which has no "
            f"{missing[0]}. Modules are built against that tree: put it back, or build the kernel "
            "again."
        )
    return source


def _head(makefile: Path) -> str:
    return makefile.read_text(errors="replace")[:1000]


def check_exports(directory: Path) -> None:
    """Check that vmlinux has the symbols that Module.symvers says it exports."""
    symvers, vmlinux = directory / EXPORTS, directory / VMLINUX
    lines = (line.split("\t") for line in symvers.read_text(errors="replace").splitlines())
    exported = [fields[1] for fields in lines if len(fields) > 2 and fields[2] == VMLINUX]
    if not exported:
        raise InputError(f"{symvers} names no symbol of vmlinux. Run {MAKE} again.")
    with open_elf(vmlinux) as elf:
        section = elf.get_section_by_name(".strtab")
        names = b"" if section is None else section.data()
    if not names:
        raise InputError(
            f"{vmlinux} has no symbol table: it was stripped. Give the vmlinux that make "
            "wrote; its debugging information may be stripped."
        )
    known = set(names.split(b"\0"))
    # the linker keeps one name that ends as another one does
    absent = [
        name
        for name in exported
        if name.encode() not in known and name.encode() + b"\0" not in names
    ]
    if absent:
        raise InputError(
            f"{symvers} is of another build than vmlinux: {some(absent)} "
            f"{'is' if len(absent) == 1 else 'are'} not in vmlinux. Run {MAKE} again."
        )


def check_fits(probe: Path, vmlinux: Path) -> None:
    """Check that *probe* was compiled with the same types as *vmlinux*; both have DWARF."""
    here, there = types_in(probe), types_in(vmlinux)
    for name in STRUCTURES:
        try:
            sizes = [program.type(f"struct {name}").size for program in (here, there)]
        except LookupError:
            continue
        if sizes[0] != sizes[1]:
            raise InputError(
                f"the headers of the kernel were changed after it was built: struct {name} has "
                f"{sizes[0]} bytes in a module that is built with them, and {sizes[1]} in "
                f"{vmlinux}. Run {MAKE} again."
            )
