# SPDX-License-Identifier: Apache-2.0
"""Addresses of a kernel's gcov counters, read once from a guest's memory.

The list of profiled objects is ``gcov_info_head`` (Linux 6.12, kernel/gcov/gcc_4_7.c); its
structures are gcc's (gcc 12, libgcc/libgcov.h). All of it is static data of the kernel image, so
it is the same in every guest of that kernel.
"""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import drgn

from harness.base.errors import InputError
from harness.base.hex_repr import hex_repr
from harness.observe.memory import KernelTypes
from harness.observe.memory.kernel import kernel_reading

FILE = "layout.json"


@hex_repr
@dataclass(frozen=True)
class Counters:
    """The counters of one *kind* of a function: link address of the first, and how many."""

    kind: int
    address: int
    length: int


@dataclass(frozen=True)
class ProfiledFunction:
    """An instrumented function, by the numbers that its object's notes know it by."""

    ident: int
    lines: int
    graph: int
    counters: tuple[Counters, ...]


@dataclass(frozen=True)
class Unit:
    """A profiled object: the path of its .gcda file, its stamps and functions."""

    name: str
    version: int
    stamp: int
    checksum: int
    functions: tuple[ProfiledFunction, ...]


@dataclass(frozen=True)
class Layout:
    """All counters of the kernel whose key in the cache is *kernel*."""

    kernel: str
    units: tuple[Unit, ...]

    @property
    def counters(self) -> Iterator[Counters]:
        """Every group of counters, in the order of units, functions and kinds."""
        for unit in self.units:
            for function in unit.functions:
                yield from function.counters

    def save(self, directory: Path) -> None:
        """Write it into *directory*."""
        (directory / FILE).write_text(json.dumps(asdict(self)))


def load_layout(directory: Path) -> Layout:
    """Read the layout that was saved in *directory*."""
    stored = json.loads((directory / FILE).read_text())
    return Layout(stored["kernel"], tuple(_load_unit(unit) for unit in stored["units"]))


def _load_unit(stored: dict[str, Any]) -> Unit:
    return Unit(**{**stored, "functions": tuple(map(_load_function, stored["functions"]))})


def _load_function(stored: dict[str, Any]) -> ProfiledFunction:
    return ProfiledFunction(
        **{**stored, "counters": tuple(Counters(**one) for one in stored["counters"])}
    )


def read_layout(types: KernelTypes, kernel: str) -> Layout:
    """Find the counters of a booted guest's kernel; InputError if it has none."""
    with kernel_reading("gcov's counters"):
        units = tuple(_read_unit(info, types.image.slide) for info in _infos(types.program))
    if not units:
        raise InputError("the guest's kernel has no gcov counters: it was built without gcov")
    return Layout(kernel, units)


def _infos(program: drgn.Program) -> Iterator[drgn.Object]:
    info = program["gcov_info_head"]
    while info:
        yield info
        info = info.next


def _read_unit(info: drgn.Object, slide: int) -> Unit:
    kinds = [kind for kind, merge in enumerate(info.merge) if merge]
    functions = (info.functions[index] for index in range(info.n_functions.value_()))
    return Unit(
        info.filename.string_().decode(),
        info.version.value_(),
        info.stamp.value_(),
        info.checksum.value_(),
        tuple(_read_function(one, kinds, slide) for one in functions if one and one.key == info),
    )


def _read_function(function: drgn.Object, kinds: list[int], slide: int) -> ProfiledFunction:
    groups = (
        Counters(kind, group.values.value_() - slide, group.num.value_())
        for kind, group in zip(kinds, (function.ctrs[i] for i in range(len(kinds))), strict=True)
    )
    return ProfiledFunction(
        function.ident.value_(),
        function.lineno_checksum.value_(),
        function.cfg_checksum.value_(),
        tuple(groups),
    )
