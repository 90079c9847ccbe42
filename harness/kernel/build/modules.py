# SPDX-License-Identifier: Apache-2.0
"""Loadable modules of a kernel: find them by name, and put them in the order of their dependencies.

A module says itself which others it needs (``depends`` in its section .modinfo; Linux 6.12,
scripts/mod/modpost.c:add_depends). So no modules.dep is needed, which Debian's packages lack:
depmod writes it when they are installed.
"""

import gzip
import io
import lzma
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from harness.base.errors import InputError, ToolError
from harness.base.tools import run_tool

_NAME = re.compile(r"(.+)\.ko(\.xz|\.zst|\.gz)?")


@dataclass(frozen=True)
class Module:
    """A module, uncompressed, with its signature; *name* as /proc/modules has it."""

    name: str
    content: bytes = field(repr=False)


def module_files(directory: Path) -> Mapping[str, Path]:
    """The file of each module under *directory*, which is ``lib/modules/RELEASE``, by its name."""
    found = ((path, _NAME.fullmatch(path.name)) for path in sorted(directory.rglob("*.ko*")))
    return {_canonical(name[1]): path for path, name in found if name}


def load_order(files: Mapping[str, Path], wanted: Iterable[str]) -> tuple[Module, ...]:
    """The modules *wanted* of *files* and all that they need, each after those it needs.

    *files* are from :func:`module_files`. Wanted modules that are not among them are left out: they
    are built in, or the kernel lacks them. Raises InputError if a module is damaged, or one that it
    needs is not there.
    """
    ordered: dict[str, Module] = {}
    for name in map(_canonical, wanted):
        if name in files:
            _add(name, files, ordered)
    return tuple(ordered.values())


def _add(name: str, files: Mapping[str, Path], ordered: dict[str, Module]) -> None:
    """Add *name* to *ordered*, after all that it needs; modules do not need each other mutually."""
    if name in ordered:
        return
    content = read_module(files[name])
    info = dict(_modinfo(files[name], content))
    for needed in filter(None, info.get("depends", "").split(",")):
        if _canonical(needed) not in files:
            raise InputError(
                f"the module {name} needs the module {needed}, which is not among the kernel's. "
                "Build all modules, or unpack the whole package of them."
            )
        _add(_canonical(needed), files, ordered)
    ordered[name] = Module(name, content)


def read_module(path: Path) -> bytes:
    """The uncompressed content of a module; InputError if it is damaged."""
    packed = path.read_bytes()
    try:
        match path.suffix:
            case ".xz":
                return lzma.decompress(packed)
            case ".gz":
                return gzip.decompress(packed)
            case ".zst":
                return run_tool(("zstd", "-d", "-c", "-q"), data=packed)
    except (lzma.LZMAError, zlib.error, EOFError, OSError, ToolError) as fault:
        raise InputError(f"the module {path} is damaged: {fault}. Get it again.") from fault
    return packed


def _modinfo(path: Path, content: bytes) -> Iterator[tuple[str, str]]:
    """What the module says about itself, as pairs of key and value."""
    try:
        section = ELFFile(io.BytesIO(content)).get_section_by_name(".modinfo")
    except (ELFError, ValueError) as fault:
        raise InputError(f"{path} is not a kernel module: {fault}. Get it again.") from fault
    for entry in section.data().split(b"\0") if section else ():
        key, _, value = entry.decode(errors="replace").partition("=")
        yield key, value


def _canonical(name: str) -> str:
    """A module's name as the kernel has it: files and people also write hyphens."""
    return name.replace("-", "_")
