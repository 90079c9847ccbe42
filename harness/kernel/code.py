# SPDX-License-Identifier: Apache-2.0
"""File and line of a built kernel's instructions, from DWARF."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import drgn
from elftools.elf.constants import SH_FLAGS

from harness.base.kreport import Report, StackFrame
from harness.kernel.elf import open_elf

SOURCE_ROOT = re.compile(r"^(?:(?:\.\./)+src/|\./|.*/(?=guest/probe/))")
"""The start of source paths in DWARF, relative to the build directory
(harness/kernel/source/workspace.py)."""

LANDMARK = ("start_kernel", "init/main.c")
"""A function of every kernel, and its file: the start of its path is that of all."""

COUNTERS = ("pc", "rip")
"""Registers with the address of the instruction itself; "lr" has the return address."""

MODULES_AT = 0x1000_0000
"""The address given to modules for a lookup: below all link addresses of vmlinux."""

_MODULE_GAP = 0x100_0000

MODULES_END = 1 << 47
"""The kernel's own link addresses lie above."""


@dataclass(frozen=True)
class CodePlace:
    """A function with file and line in the kernel's source.

    *line* is 0 and *file* empty without DWARF; *module* is empty for the kernel itself; *outer* is
    the function that *function* was inlined into, if it was.
    """

    function: str
    file: str = ""
    line: int = 0
    outer: str = ""
    module: str = ""

    def __str__(self) -> str:
        where = f" {self.file}:{self.line}" if self.file else ""
        inside = f" (in {self.outer})" if self.outer else ""
        return f"{self.function}{where}{inside}" + (f" [{self.module}]" if self.module else "")


def places_at(program: drgn.Program, address: int, module: str = "") -> tuple[CodePlace, ...]:
    """The functions at *address* of *program*, the innermost inlined one first.

    Raises LookupError where there is no DWARF.
    """
    chain = list(program.source_location(address))
    outer = chain[-1].name() or "?"
    return tuple(
        CodePlace(
            one.name() or "?",
            SOURCE_ROOT.sub("", one.filename.removeprefix(_source_root(program))),
            one.line,
            "" if number == len(chain) - 1 else outer,
            module,
        )
        for number, one in enumerate(chain)
    )


def _source_root(program: drgn.Program) -> str:
    """The start of paths in the DWARF of a kernel that was built outside its source tree.

    Kept in the program's cache, because a lookup takes as long as the one that it is for.
    """
    function, file = LANDMARK
    if LANDMARK not in program.cache:
        try:
            path = program.source_location(function)[-1].filename
        except LookupError:
            path = ""
        program.cache[LANDMARK] = path.removesuffix(file) if path.endswith(f"/{file}") else ""
    return str(program.cache[LANDMARK])


class KernelCode:
    """The code of *vmlinux* and of *modules* (their ``.ko`` files by name), without any guest.

    Opening takes milliseconds. A missing file, or one without DWARF, has no places.
    """

    def __init__(self, vmlinux: Path, modules: Mapping[str, Path] | None = None) -> None:
        self._vmlinux, self._modules = vmlinux, dict(modules or {})

    def places(self, frame: StackFrame, *, returns: bool = True) -> tuple[CodePlace, ...]:
        """The functions of *frame*, the innermost inlined one first; just its name without DWARF.

        A return address is that of the next instruction: with *returns*, the byte before it is
        looked up.
        """
        start = self._start(frame)
        if start is not None:
            address = start + frame.offset - (1 if returns else 0)
            try:
                return places_at(self._program, address, frame.module)
            except LookupError:
                pass
        return (CodePlace(frame.symbol, module=frame.module),)

    def _start(self, frame: StackFrame) -> int | None:
        """The address of the function; None if there is none of that name and size."""
        if frame.module and frame.module not in self._modules:
            return None
        try:
            symbols = self._program.symbols(frame.symbol)
        except LookupError:
            return None
        found = [one for one in symbols if (one.address < MODULES_END) == bool(frame.module)]
        # a symbol's own size may leave out the padding that kallsyms counts
        found.sort(key=lambda one: abs(one.size - frame.size))
        return found[0].address if found else None

    @cached_property
    def _program(self) -> drgn.Program:
        program = drgn.Program(drgn.Platform(drgn.Architecture.AARCH64))
        if self._vmlinux.exists():
            kernel = program.extra_module("vmlinux", create=True)
            kernel.address_range = _link_range(self._vmlinux)
            kernel.try_file(self._vmlinux, force=True)
        base = MODULES_AT
        for name, path in self._modules.items():
            if path.exists():
                module = program.relocatable_module(name, base, create=True)
                sections = _section_addresses(path, base)
                module.section_addresses.update(sections)
                module.address_range = (base, base + _MODULE_GAP)
                module.try_file(path, force=True)
                base += _MODULE_GAP
        return program


def _link_range(vmlinux: Path) -> tuple[int, int]:
    """First and end address of the loaded segments of *vmlinux*; one of 7.3's is empty, at 0."""
    with open_elf(vmlinux) as elf:
        loads = [(one["p_vaddr"], one["p_memsz"]) for one in elf.iter_segments("PT_LOAD")]
    return (
        min(begin for begin, size in loads if size),
        max(begin + size for begin, size in loads if size),
    )


def _section_addresses(path: Path, base: int) -> dict[str, int]:
    """An address, from *base* on, for each loaded section of a module."""
    addresses: dict[str, int] = {}
    with open_elf(path) as elf:
        for section in elf.iter_sections():
            if section["sh_flags"] & SH_FLAGS.SHF_ALLOC:
                align = max(section["sh_addralign"], 1)
                base = -(-base // align) * align
                addresses[section.name] = base
                base += section["sh_size"]
    return addresses


def decoded(report: Report, code: KernelCode) -> Iterator[str]:
    """The stack of *report* in files and lines, a line each; the program counter if it has none."""
    counters = {(one.symbol, one.offset) for one in report.frames if one.register in COUNTERS}
    for frame in _stack(report.frames):
        *inlined, last = code.places(frame, returns=(frame.symbol, frame.offset) not in counters)
        for place in inlined:
            yield f"  {place.function} ({place.file}:{place.line}) inlined"
        where = f"+{frame.offset:#x}/{frame.size:#x}"
        if last.file:
            where = f" ({last.file}:{last.line})"
        module = f" [{frame.module}]" if frame.module else ""
        register = f", by {frame.register}" if frame.register == "lr" else ""
        yield f"  {last.function}{where}{module}{register}"


def _stack(frames: Sequence[StackFrame]) -> list[StackFrame]:
    """The stack, with the caller that lr names where the stack lacks it.

    arm64's unwinder misses the caller of a function that has no frame record, or not yet.
    """
    stack = [one for one in frames if not one.register]
    lr = [one for one in frames if one.register == "lr"][:1]
    if not stack or not lr or lr[0].symbol in {one.symbol for one in stack[:2]}:
        return stack or list(frames)
    return [*stack[:1], *lr, *stack[1:]]


def decoded_traces(reports: Iterable[Report], code: KernelCode) -> str:
    """All *reports* with their frames in file and line; empty if none has a frame."""
    parts = [
        "\n".join((report.title, *decoded(report, code))) for report in reports if report.frames
    ]
    return "\n\n".join(parts) + ("\n" if parts else "")
