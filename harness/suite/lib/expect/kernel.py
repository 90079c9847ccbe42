# SPDX-License-Identifier: Apache-2.0
"""Expectations of what the kernel says and keeps: log, console, attachment, pages, slots."""

import re

from harness.base.address_range import AddressRange
from harness.base.errors import GuestHang
from harness.kernel import SLOT
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KernelTypes, MemoryUse, page_uses
from harness.plugin.counters import PoolCounters
from harness.suite.lib.attached import assigned, pool_of
from harness.suite.lib.expect.values import equal
from harness.suite.lib.expect.wording import size_text, violation_of

SYNC_WARNING = "swiotlb_(bounce|sync)"
"""A warning of swiotlb_bounce(), or of the function that clang inlines it into."""

OVERLAPS = "overlapping mappings of cacheline"
"""What DMA_API_DEBUG says, once, when eight mappings that devices may write to begin in the same
cache line (kernel/dma/debug.c). Tests do this on purpose."""

PRINT_TIMEOUT = 10.0
"""Seconds of the guest's own time until a message is on the console; measured: 0.1."""


LAST_LINES = 5
"""Console lines that a failure quotes."""


def attached(guest: Guest, types: KernelTypes, device: str, pool: Pool | None) -> None:
    """*device* is attached to *pool* (None: to no pool), by the kernel log and its structures."""
    name = pool.name if pool else ""
    said, has = assigned(guest, device), pool_of(types, device)
    if (said, has) != (name, name):
        summary = f"Device {device} does not have the pool of its devicetree node."
        wanted = f"{device} has {_pool_or_none(name)}"
        seen = (
            f"the kernel log assigns {_pool_or_none(said)}, dma_io_tlb_mem is {_pool_or_none(has)}"
        )
        raise violation_of(summary, wanted, seen)


def logged(guest: Guest, text: str) -> None:
    """The kernel log has *text*."""
    lines = guest.kernel_log()
    if not any(text in line for line in lines):
        seen = f"{len(lines)} lines without it, the last: {lines[-1] if lines else ''}"
        raise violation_of("", f"in the kernel log: {text}", seen)


def not_logged(guest: Guest, text: str) -> None:
    """The kernel log does not have *text*."""
    found = [line for line in guest.kernel_log() if text in line]
    if found:
        raise violation_of("", f"not in the kernel log: {text}", found[0])


def printed(
    guest: Guest, pattern: str, timeout: float = PRINT_TIMEOUT, *, since: int = 0, summary: str = ""
) -> re.Match[str]:
    """The kernel prints a line that matches *pattern*, from console line *since* on.

    A guest that does not print it in *timeout* seconds of its own time and goes on violates the
    property. One that does not answer either is a hang.
    """
    try:
        return guest.console.wait_for(pattern, timeout, since=since)
    except GuestHang:
        guest.agent.hello()
    lines = [line for line in guest.console.lines if line.strip()][-LAST_LINES:]
    told = summary or "The kernel did not print the expected message."
    raise violation_of(told, f"on the console: {pattern}", "\n".join(["its last lines:", *lines]))


def alive(guest: Guest) -> None:
    """The guest still runs commands; raises GuestHang or GuestCrash otherwise."""
    equal(guest.agent.run("echo alive").text, "alive\n", "the output of 'echo alive'")


def all_reserved(types: KernelTypes, memory: AddressRange) -> None:
    """Every page of *memory* is reserved, and none belongs to the page allocator."""
    page = types.page_size
    uses = page_uses(types, memory.base, memory.size // page)
    other = [number for number, use in enumerate(uses) if use is not MemoryUse.RESERVED]
    if other:
        first = memory.base + other[0] * page
        summary = "The page allocator has pages of a pool."
        wanted = f"{AddressRange.__str__(memory)} reserved"
        seen = (
            f"{len(other)} of {len(uses)} pages are not, first {first:#x}: {uses[other[0]].value}"
        )
        raise violation_of(summary, wanted, seen)


def not_reserved(types: KernelTypes, memory: AddressRange) -> None:
    """No page of *memory* is reserved: all of it is ordinary memory."""
    page = types.page_size
    uses = page_uses(types, memory.base, memory.size // page)
    if MemoryUse.RESERVED in uses:
        first = memory.base + uses.index(MemoryUse.RESERVED) * page
        summary = "The kernel keeps memory reserved that is not a pool."
        wanted = f"no page of {AddressRange.__str__(memory)} reserved"
        seen = f"{uses.count(MemoryUse.RESERVED)} of {len(uses)} pages are, first {first:#x}"
        raise violation_of(summary, wanted, seen)


def slots_used(counters: PoolCounters, slots: int, *, summary: str = "") -> None:
    """The kernel counts *slots* of the pool in use."""
    used = counters.used
    if used != slots:
        told = summary or f"The kernel counts {_slots(used)} of pool {counters.name} in use."
        raise violation_of(
            told, f"io_tlb_used is {_slots(slots)}", f"io_tlb_used is {_slots(used)}"
        )


def _pool_or_none(name: str) -> str:
    return f"pool {name}" if name else "no restricted pool"


def _slots(count: int) -> str:
    return f"{count} slots ({size_text(count * SLOT)})"
