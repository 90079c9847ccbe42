# SPDX-License-Identifier: Apache-2.0
"""Compilers for kernels, by the names that ``--compiler`` and the kernel's own make take.

==========================  ==============================================================
name                        the kernel's make (Linux 6.12, Documentation/kbuild/llvm.rst)
==========================  ==============================================================
``gcc``, ``gcc-13``         ``CROSS_COMPILE=`` the prefix of this host, ``CC=`` of a version
``PREFIX-gcc``              ``CROSS_COMPILE=PREFIX-``; the prefix may begin with a directory
``clang``, ``clang-19``     ``LLVM=1``, ``LLVM=-19``
``DIR/clang``               ``LLVM=DIR/``
==========================  ==============================================================

The guest's own programs are always compiled by ``DEFAULT``.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.base.architecture import CROSS, GUEST
from harness.base.errors import HostError, InputError, ToolError
from harness.base.tools import PACKAGES, find_tool, how_to_install, is_present, run_tool

FORMS = "'gcc', 'gcc-13', 'PREFIX-gcc', 'clang', 'clang-19' or a path of one of these"

LLVM_TOOLS: Mapping[str, str] = {
    "LD": "ld.lld",
    "AR": "llvm-ar",
    "NM": "llvm-nm",
    "OBJCOPY": "llvm-objcopy",
    "OBJDUMP": "llvm-objdump",
    "READELF": "llvm-readelf",
    "STRIP": "llvm-strip",
}
"""What ``LLVM=`` chooses beside the compiler (Linux 6.12, Makefile)."""

_NAME = re.compile(r"(?P<prefix>|.*[-/])(?P<kind>gcc|clang)(?P<version>(?:-\d+)?)")


@dataclass(frozen=True)
class Compiler:
    """A compiler for arm64 kernels and its binary utilities.

    *program* compiles, *words* make the kernel's makefiles use it, *tools* are all programs that
    must be there, *packages* those of Debian that have them, empty if none has.
    """

    name: str
    program: str
    words: tuple[str, ...] = field(repr=False)
    tools: tuple[str, ...] = field(repr=False)
    packages: str

    @property
    def banner(self) -> str:
        """The first line that it prints about itself; HostError if it is not installed."""
        self.check()
        return run_tool((self.program, "--version")).decode().splitlines()[0]

    def accepts(self, option: str) -> bool:
        """Whether it knows the command line option."""
        try:
            run_tool((self.program, option, "-x", "c", "-S", "-o", "/dev/null", "/dev/null"))
        except ToolError:
            return False
        return True

    def check(self) -> None:
        """Raise HostError if a program is missing, InputError if it does not compile for arm64."""
        for tool in self.tools:
            if tool in PACKAGES:
                find_tool(tool)
            elif not is_present(tool):
                advice = f", or {how_to_install(self.packages)}" if self.packages else "."
                raise HostError(
                    f"the compiler '{self.name}' needs the program '{tool}', which is not there. "
                    f"Check the name{advice}"
                )
        if not self.is_clang:
            target = run_tool((self.program, "-dumpmachine")).decode().strip()
            if not target.startswith(GUEST):
                raise InputError(
                    f"{self.program} compiles for {target}: the harness tests arm64 kernels. Name "
                    f"a compiler for arm64 with --compiler, and check CROSS_COMPILE"
                )

    @property
    def is_clang(self) -> bool:
        """Whether it is clang, which compiles for every processor."""
        return "clang" in self.program.rpartition("/")[2]


def compiler_named(name: str) -> Compiler:
    """The compiler *name*, one of FORMS; not looked for yet. Raises InputError for another name."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise InputError(f"unknown compiler '{name}': expected {FORMS}")
    prefix, version = found["prefix"], found["version"]
    if found["kind"] == "clang":
        tools = {key: f"{prefix}{tool}{version}" for key, tool in LLVM_TOOLS.items()}
        program = f"{prefix}clang{version}"
        return Compiler(
            name,
            program,
            ("LLVM=1", f"CC=ccache {program}", *(f"{key}={tool}" for key, tool in tools.items())),
            (program, *tools.values()),
            f"clang{version} lld{version} llvm{version}" if not prefix else "",
        )
    prefix = prefix or CROSS
    program = f"{prefix}gcc{version}"
    return Compiler(
        name,
        program,
        (f"CROSS_COMPILE={prefix}", f"CC=ccache {program}"),
        (program, f"{prefix}ld"),
        f"gcc{version}{'-' + CROSS.removesuffix('-') if CROSS else ''}" if prefix == CROSS else "",
    )


DEFAULT = compiler_named("gcc")


def compiler_of_environment(environment: Mapping[str, str] = os.environ) -> str:
    """The name of the compiler that LLVM or CROSS_COMPILE names, as for the kernel's own make.

    Empty if they name none, or the default one. (CC is not read: the kernel's make takes it from
    its command line alone.)
    """
    llvm, prefix = environment.get("LLVM", ""), environment.get("CROSS_COMPILE", "")
    if llvm:
        if llvm.endswith("/"):
            return f"{llvm}clang"
        return f"clang{llvm if llvm.startswith('-') else ''}"
    return f"{prefix}gcc" if prefix not in ("", CROSS) else ""


def compiler_for(config: Mapping[str, str]) -> Compiler:
    """The compiler of this machine that is closest to that of a kernel built with *config*.

    The same version if it is there, else the one without a version in its name.
    """
    kind = "clang" if "CC_IS_CLANG" in config else "gcc"
    number = int(config.get(f"{kind.upper()}_VERSION", "0")) // 10000
    same = compiler_named(f"{kind}-{number}")
    return same if all(map(is_present, same.tools)) else compiler_named(kind)


def compiler_text(config: Mapping[str, str]) -> str:
    """How the compiler of a kernel built with *config* calls itself; empty if it does not say."""
    return config.get("CC_VERSION_TEXT", "").strip('"')
