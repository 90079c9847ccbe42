# SPDX-License-Identifier: Apache-2.0
"""Which function and line an instruction of the running kernel belongs to."""

import re
from bisect import bisect_right
from functools import cached_property

from harness.jobs.double_fetch.analyse import Reader
from harness.jobs.double_fetch.ring import Access, Function, Kind
from harness.kernel.code import CodePlace, places_at
from harness.machine.qemu.agent import Agent
from harness.observe.memory import KernelTypes, Symbols

COPYING = (
    *("memcpy", "memmove", "memcmp", "memchr", "memscan", "copy_page", "copy_mc_page"),
    *("__memcpy", "__memmove", "__asan_memcpy", "__asan_memmove", "__pi_memcpy_generic"),
    *("strlen", "strnlen", "strcmp", "strncmp", "strchr", "strrchr"),
    *("__arch_copy_to_user", "__arch_copy_from_user", "__memcpy_fromio"),
    *("do_csum", "csum_partial", "csum_partial_copy_nocheck"),
)
"""Functions that read for a caller: the caller is the reader.

One may continue in another, and then both make one copy: since 6.13 memcpy() ends in
__pi_memcpy_generic() on a CPU without instructions for copies (arch/arm64/lib/memcpy.S), and
KASAN's checks the memory and calls __memcpy() (mm/kasan/shadow.c). Otherwise none of them calls
another before it reads, so the last call into one is the one that is running.
"""

COPYING_OUT = (
    *("dma_unmap_page_attrs", "dma_unmap_phys", "dma_unmap_sg_attrs"),
    *("dma_sync_single_for_cpu", "__dma_sync_single_for_cpu"),
    *("dma_sync_sg_for_cpu", "__dma_sync_sg_for_cpu"),
)
"""Functions of the DMA API that copy out of the pool, as they are called in 6.1 to 7.3."""

BOUNCE = "swiotlb_bounce"
"""The function that copies for all of them (kernel/dma/swiotlb.c)."""


def watched_functions(symbols: Symbols, slide: int) -> tuple[Function, ...]:
    """The functions of the kernel whose callers matter; aliases once."""
    found: dict[int, Function] = {}
    for kind, names in ((Kind.COPYING, COPYING), (Kind.DMA_API, COPYING_OUT)):
        for name in names:
            symbol = symbols.find(name)
            if symbol is not None and symbol.size:
                start = symbol.address + slide
                found.setdefault(start, Function(name, start, symbol.size, kind))
    return tuple(found.values())


class CodePlaces:
    """Looks up places in DWARF, and for modules in the guest's list of symbols."""

    def __init__(self, types: KernelTypes, agent: Agent, functions: tuple[Function, ...]) -> None:
        self._types, self._agent, self._functions = types, agent, functions
        self._known: dict[int, CodePlace] = {}

    def reader(self, access: Access) -> Reader:
        """The reader of *access*: an instruction, or the caller of a copying function."""
        for function in self._functions:
            if function.kind is Kind.COPYING and access.pc in function:
                return Reader(access.site, function.name, self._driver(access))
        return Reader(access.pc)

    def at(self, pc: int) -> CodePlace:
        """The place of the instruction at *pc*."""
        if pc not in self._known:
            self._known[pc] = self._look_up(pc)
        return self._known[pc]

    def _driver(self, access: Access) -> int:
        bounce = self.at(access.site)
        return access.driver if BOUNCE in (bounce.function, bounce.outer) else 0

    def _look_up(self, pc: int) -> CodePlace:
        try:
            return places_at(self._types.program, pc)[0]
        except LookupError:
            return self._symbol(pc)

    def _symbol(self, pc: int) -> CodePlace:
        """The symbol at an address, of a module or of the kernel."""
        index = bisect_right(self._modules, (pc, "\U0010ffff", ""))
        if index and self._types.image.link + self._types.image.slide > pc:
            _, name, module = self._modules[index - 1]
            return CodePlace(name, module=module)
        symbol = self._types.symbols.nearest(pc - self._types.image.slide)
        return CodePlace(symbol.name if symbol else f"{pc:#x}")

    @cached_property
    def _modules(self) -> list[tuple[int, str, str]]:
        """Address, name and module of all symbols of modules."""
        lines = self._agent.run("grep -F '[' /proc/kallsyms").text
        words = re.findall(r"^([0-9a-f]+) \S ([^\s$]\S*)\s+\[(\S+)\]$", lines, re.MULTILINE)
        return sorted((int(address, 16), name, module) for address, name, module in words)
