# SPDX-License-Identifier: Apache-2.0
"""Expectations of property tests; each helper raises PropertyViolated with addresses and bytes.

==================  ==============================================================================
``in_pool``         the addresses that a device was given are in its pool; ``outside``: none is
``within``          ranges of memory are in a pool; ``none_within``: none is
``not_bounced``     a mapping is the buffer itself
``apart``           no two ranges share a byte
``at_addresses``    the device was given exactly these addresses
``aligned``         an address is a multiple of an alignment
``bits_kept``       an address keeps the bits of min_align_mask
``within_boundary`` a mapping does not cross a segment boundary
``all_reserved``    every page of a pool is reserved; ``not_reserved``: no page is
``attached``        a device has a given pool, or none
``logged``          the kernel log has a line; ``not_logged``: it does not
``printed``         the kernel prints a line soon
``alive``           the guest still runs commands
``holds``           memory holds a pattern
``unchanged``       memory still holds a pattern
``same_bytes``      memory holds given bytes
``slots_used``      the kernel counts a number of slots in use
``mapped``          the kernel mapped a buffer; ``not_mapped``: it refused
``refused``         the kernel refuses a call
``fence_held``      the fence refused nothing and is intact; ``fence_intact``: it is intact
``counted``         a count has a value
``equal``           a value, a list or bytes are as expected; ``require``: any other condition
==================  ==============================================================================

The plugin adds the rest: the properties of the test, unless they are named here, their sentence if
*summary* is empty, the driver's calls, and what each address is (harness/plugin/failures.py).
"""

import re
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Mapping as Table
from itertools import pairwise
from typing import ParamSpec, Protocol, TypeVar

from harness.base.address_range import AddressRange
from harness.base.errors import GuestHang
from harness.base.violation import PropertyViolated, Violation
from harness.devices.probe import (
    Buffer,
    Byte,
    DmaError,
    HeldMemory,
    Mapped,
    Pattern,
    Seed,
    SgMapping,
)
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KernelTypes, LiveMemory, MemoryUse, page_uses
from harness.plugin.counters import PoolCounters
from harness.plugin.failures import in_hex
from harness.suite.lib.attached import assigned, pool_of

P = ParamSpec("P")
T = TypeVar("T")

PAGE = 4096
SLOT = 2048
KIB = 1024
UNCHANGED = "unchanged"

PRINT_TIMEOUT = 10.0
"""Seconds of the guest's own time until a message is on the console; measured: 0.1."""

LAST_LINES = 5
"""Console lines that a failure quotes."""

FEW = 4
"""Elements of a list that a failure quotes as a whole."""

LONGEST = 400
"""Characters of a value that a failure quotes."""

NAMES: Table[Pattern, str] = {
    Seed(0xC9): "what the CPU wrote",
    Seed(0xDE): "what the device wrote",
    Seed(0x57): "what an earlier mapping left",
    Byte(0): "zeros",
}
"""The meaning of the patterns that all tests share."""


C_NAMES: Table[str, str] = {"map_sg": "dma_map_sgtable", "alloc": "dma_alloc_attrs"}
"""C functions behind methods of the probe, where the name is another."""


class Given(Protocol):
    """A mapping, an allocation or a segment, as the DMA API returned it."""

    @property
    def dma_addr(self) -> int:
        """The address for the device."""


def in_pool(
    given: Given | SgMapping | Iterable[Given],
    pool: AddressRange,
    size: int | None = None,
    *,
    summary: str = "The device was given an address outside its pool.",
) -> None:
    """Every range that was *given* is in *pool*; *size* bytes each, where it has no own size."""
    for one in _each(given):
        length = _size(one, size)
        if not pool.contains(one.dma_addr, length):
            wanted = f"{AddressRange(one.dma_addr, length)} in {_named(pool)}"
            raise _violated(summary, wanted, _where(one.dma_addr, length, pool))


def within(ranges: Iterable[AddressRange], pool: AddressRange, what: str) -> None:
    """There is at least one range of *what*, and all *ranges* are in *pool*."""
    every = list(ranges)
    if not every:
        raise _violated(f"The driver uses no {what}.", f"{what} in {_named(pool)}", "none")
    for one in every:
        if not pool.contains(one.base, one.size):
            summary = f"The driver gave its device {what} outside its pool."
            wanted = f"{AddressRange.__str__(one)} in {_named(pool)}"
            raise _violated(summary, wanted, _where(one.base, one.size, pool))


def none_within(ranges: Iterable[AddressRange], pool: AddressRange, what: str) -> None:
    """None of the *ranges* of *what* begins in *pool*."""
    for one in ranges:
        if pool.contains(one.base):
            summary = f"The driver gave its device {what} in the pool of another device."
            raise _violated(summary, f"{what} outside {_named(pool)}", f"{one.base:#x}")


def outside(given: Given | Iterable[Given], pool: AddressRange) -> None:
    """No address that a device was *given* is in *pool*."""
    for one in _each(given):
        if pool.contains(one.dma_addr):
            summary = "A device without a pool was given memory of a pool."
            raise _violated(summary, f"an address outside {_named(pool)}", f"{one.dma_addr:#x}")


def not_bounced(mapping: Given, buffer: Buffer, offset: int = 0) -> None:
    """The address of a mapping is that of *buffer* itself."""
    address = buffer.phys + offset
    if mapping.dma_addr != address:
        summary = "A mapping of an unrestricted device is not the buffer itself."
        raise _violated(summary, f"dma_addr {address:#x}", f"dma_addr {mapping.dma_addr:#x}")


def apart(given: Iterable[Given], size: int | None = None) -> None:
    """No two *given* ranges share a byte; *size* bytes each, where they have no own size."""
    ordered = sorted(given, key=lambda one: one.dma_addr)
    ranges = [AddressRange(one.dma_addr, _size(one, size)) for one in ordered]
    for one, two in pairwise(ranges):
        if one.overlaps(two):
            summary = "The device was given the same memory twice."
            raise _violated(summary, "ranges that do not overlap", f"{one} and {two}")


def counted(number: int, expected: int, what: str, *, summary: str = "") -> None:
    """There are *expected* of *what*, such as ``mappings in the pool``."""
    if number != expected:
        raise _violated(summary, f"{expected} {what}", in_hex(f"{number}"))


def aligned(address: int, alignment: int, what: str, *, summary: str = "") -> None:
    """The *address* of *what* is a multiple of *alignment*, in bytes."""
    if address % alignment:
        wanted = f"{what} at a multiple of {alignment:#x}"
        raise _violated(summary, wanted, f"{address:#x}, {address % alignment:#x} bytes past one")


def at_addresses(given: Iterable[Given], expected: Sequence[int], *, summary: str = "") -> None:
    """The device was given exactly the addresses *expected*, in this order."""
    seen = [one.dma_addr for one in given]
    if seen != list(expected):
        at = next((i for i, (a, b) in enumerate(zip(seen, expected, strict=False)) if a != b), None)
        if at is None:
            raise _violated(summary, f"{len(expected)} addresses", f"{len(seen)} addresses")
        raise _violated(summary, f"number {at} at {expected[at]:#x}", f"{seen[at]:#x}")


def mapped(outcome: Mapped | DmaError, size: int) -> int:
    """The kernel mapped *size* bytes; returns the DMA address."""
    if isinstance(outcome, DmaError):
        raise _violated("A mapping that fits was refused.", f"{size} bytes mapped", str(outcome))
    return outcome.dma_addr


def bits_kept(address: int, source: int, mask: int, what: str) -> None:
    """The *address* of a mapping of *source* has the bits of *mask* that *source* has."""
    if (address ^ source) & mask:
        summary = "A mapping does not keep the bits of min_align_mask."
        wanted = f"{what}: bits {mask:#x} of {source:#x}, which are {source & mask:#x}"
        raise _violated(summary, wanted, f"dma_addr {address:#x}, bits {address & mask:#x}")


def within_boundary(address: int, size: int, boundary: int) -> None:
    """The *size* bytes at *address* do not cross a multiple of *boundary*."""
    if address // boundary != (address + size - 1) // boundary:
        summary = "A mapping crosses the segment boundary of its device."
        crossed = (address + size - 1) // boundary * boundary
        wanted = f"{size} bytes between two multiples of {boundary:#x}"
        raise _violated(summary, wanted, f"{AddressRange(address, size)} crosses {crossed:#x}")


def all_reserved(types: KernelTypes, memory: AddressRange) -> None:
    """Every page of *memory* is reserved, and none belongs to the page allocator."""
    uses = page_uses(types, memory.base, memory.size // PAGE)
    other = [number for number, use in enumerate(uses) if use is not MemoryUse.RESERVED]
    if other:
        first = memory.base + other[0] * PAGE
        summary = "The page allocator has pages of a pool."
        wanted = f"{AddressRange.__str__(memory)} reserved"
        seen = (
            f"{len(other)} of {len(uses)} pages are not, first {first:#x}: {uses[other[0]].value}"
        )
        raise _violated(summary, wanted, seen)


def not_reserved(types: KernelTypes, memory: AddressRange) -> None:
    """No page of *memory* is reserved: all of it is ordinary memory."""
    uses = page_uses(types, memory.base, memory.size // PAGE)
    if MemoryUse.RESERVED in uses:
        first = memory.base + uses.index(MemoryUse.RESERVED) * PAGE
        summary = "The kernel keeps memory reserved that is not a pool."
        wanted = f"no page of {AddressRange.__str__(memory)} reserved"
        seen = f"{uses.count(MemoryUse.RESERVED)} of {len(uses)} pages are, first {first:#x}"
        raise _violated(summary, wanted, seen)


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
        raise _violated(summary, wanted, seen)


def logged(guest: Guest, text: str) -> None:
    """The kernel log has *text*."""
    lines = guest.kernel_log()
    if not any(text in line for line in lines):
        seen = f"{len(lines)} lines without it, the last: {lines[-1] if lines else ''}"
        raise _violated("", f"in the kernel log: {text}", seen)


def not_logged(guest: Guest, text: str) -> None:
    """The kernel log does not have *text*."""
    found = [line for line in guest.kernel_log() if text in line]
    if found:
        raise _violated("", f"not in the kernel log: {text}", found[0])


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
    raise _violated(told, f"on the console: {pattern}", "\n".join(["its last lines:", *lines]))


def alive(guest: Guest) -> None:
    """The guest still runs commands; raises GuestHang or GuestCrash otherwise."""
    equal(guest.agent.run("echo alive").text, "alive\n", "the output of 'echo alive'")


def fence_intact(guest: Guest) -> None:
    """The registers, tables and code of the fence are as they were set up."""
    damage = guest.fence_damage()
    if damage:
        raise _violated("The guest changed its fence.", "an intact fence", "\n".join(damage))


def fence_held(guest: Guest, device: str = "") -> None:
    """The fence refused no access of *device* (default: of any device), and is intact."""
    refused = [one for one in guest.fence_refusals() if device in ("", one.device)]
    if refused:
        first = refused[0]
        summary = "A driver had its device access memory outside the pool."
        seen = f"{len(refused)}, first {first.access} of {first.address:#x} by {first.device}"
        raise _violated(summary, "no refused access", seen)
    fence_intact(guest)


def equal(observed: object, expected: object, what: str, *, summary: str = "") -> None:
    """*what* is *expected*. Of long lists and of bytes, the first difference is shown."""
    if observed == expected:
        return
    wanted, seen = _shown(expected), _shown(observed)
    if isinstance(observed, bytes) and isinstance(expected, bytes):
        at = _first_difference(observed, expected)
        what = f"{what}, byte {at} of {len(expected)}"
        wanted, seen = _hex(expected[at:]), _hex(observed[at:])
    elif isinstance(observed, list | tuple) and isinstance(expected, list | tuple):
        at = _first_difference(observed, expected)
        if max(len(observed), len(expected)) > FEW:
            wanted, seen = _element(expected, at), _element(observed, at)
    raise _violated(summary, f"{what}: {wanted}", seen)


def require(met: object, expected: str, observed: str, *, summary: str = "") -> None:
    """A condition that no other helper checks is *met*."""
    if not met:
        raise _violated(summary, in_hex(expected), _shown(observed))


def holds(
    region: HeldMemory,
    pattern: Pattern,
    offset: int = 0,
    length: int | None = None,
    *,
    summary: str = "",
) -> None:
    """A range of *region* holds *pattern*."""
    length = region.size - offset if length is None else length
    if length and not region.holds(pattern, offset, length):
        name = NAMES.get(pattern, str(pattern))
        _differ(region, offset, pattern.content(offset, length), f"holds {name}", summary)


def unchanged(
    region: HeldMemory,
    pattern: Pattern,
    offset: int = 0,
    length: int | None = None,
    *,
    summary: str = "",
) -> None:
    """A range of *region* still holds *pattern*."""
    length = region.size - offset if length is None else length
    if length and not region.holds(pattern, offset, length):
        _differ(region, offset, pattern.content(offset, length), UNCHANGED, summary)


def same_bytes(
    where: LiveMemory | HeldMemory, at: int, expected: bytes | bytearray, *, summary: str = ""
) -> None:
    """Guest memory from address *at* on, or a region from offset *at* on, holds *expected*."""
    if where.read(at, len(expected)) != expected:
        _differ(where, at, bytes(expected), _known(bytes(expected)), summary)


def slots_used(counters: PoolCounters, slots: int, *, summary: str = "") -> None:
    """The kernel counts *slots* of the pool in use."""
    used = counters.used
    if used != slots:
        told = summary or f"The kernel counts {_slots(used)} of pool {counters.name} in use."
        raise _violated(told, f"io_tlb_used is {_slots(slots)}", f"io_tlb_used is {_slots(used)}")


def refused(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> DmaError:
    """The kernel refuses *call*; returns the error."""
    try:
        got = call(*args, **kwargs)
    except DmaError as error:
        return error
    name = getattr(call, "__name__", "the call")
    function = C_NAMES.get(name, f"dma_{name}")
    given = getattr(got, "segments", [got])
    seen = ", ".join(f"{one.dma_addr:#x}" for one in given if hasattr(one, "dma_addr"))
    wanted = "NULL" if "alloc" in name else "DMA_MAPPING_ERROR"
    summary = f"{function}() succeeded where the kernel must refuse."
    raise _violated(summary, wanted, seen or "success")


def not_mapped(outcome: Mapped | DmaError, size: int) -> None:
    """The kernel refused to map *size* bytes."""
    if isinstance(outcome, Mapped):
        summary = f"The kernel mapped {size} bytes that it must refuse."
        raise _violated(summary, "DMA_MAPPING_ERROR", f"{outcome.dma_addr:#x}")


def _first_difference(one: Sequence[object], two: Sequence[object]) -> int:
    """The index of the first element that differs; the shorter length if one begins the other."""
    both = enumerate(zip(one, two, strict=False))
    return next((at for at, (a, b) in both if a != b), min(len(one), len(two)))


def _element(some: Sequence[object], at: int) -> str:
    """Describe the list *some* by its element number *at*."""
    return f"{len(some)}, number {at}: {_shown(some[at]) if at < len(some) else 'missing'}"


def _hex(data: bytes) -> str:
    """The first 16 bytes of *data*."""
    return data[:16].hex(" ") or "nothing more"


def _shown(value: object) -> str:
    """*value* as a failure shows it: addresses in hex, not too long."""
    text = in_hex(value if isinstance(value, str) and value.strip() else repr(value)).strip()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def _violated(summary: str, expected: str, observed: str) -> PropertyViolated:
    return PropertyViolated(Violation((), summary, expected=expected, observed=observed))


def _each(given: Given | SgMapping | Iterable[Given]) -> Iterable[Given]:
    if isinstance(given, SgMapping):
        return given.segments
    return given if isinstance(given, Iterable) else [given]


def _size(given: Given, size: int | None) -> int:
    found = size or getattr(given, "size", None) or getattr(given, "length", None)
    assert isinstance(found, int), f"{given} has no size"
    return found


def _named(pool: AddressRange) -> str:
    borders = AddressRange.__str__(pool)
    return f"pool {pool.name} {borders}" if isinstance(pool, Pool) else borders


def _where(address: int, size: int, pool: AddressRange) -> str:
    """Describe where a range lies that is not in *pool*."""
    if not pool.overlaps(AddressRange(address, size)):
        return f"{address:#x}, outside the pool"
    out = size - (min(address + size, pool.end) - max(address, pool.base))
    return f"{address:#x}, {_bytes(out)} of it outside the pool"


def _differ(
    where: LiveMemory | HeldMemory, at: int, expected: bytes, wanted: str, summary: str
) -> None:
    """Raise for memory that differs from *expected*: how many bytes, and the first of them."""
    seen = where.read(at, len(expected))
    wrong = [index for index in range(len(expected)) if seen[index] != expected[index]]
    base = _base(where)
    whole = f"{'buffer at ' if isinstance(where, Buffer) else ''}{_place(base, at)} {wanted}"
    if not wrong:
        raise _violated(summary, whole, "it differed, and no longer does")
    first = wrong[0]
    verb = "changed" if wanted == UNCHANGED else "differ"
    changed = f"{_bytes(len(wrong))} of {_bytes(len(expected))} {verb}"
    byte = f"first at {_place(base, at + first)}: {expected[first]:02x} -> {seen[first]:02x}"
    raise _violated(summary, whole, f"{changed}, {byte}")


def _base(where: LiveMemory | HeldMemory) -> int | None:
    """The address of offset 0 of *where*; None if it is unknown."""
    if isinstance(where, LiveMemory):
        return 0
    base = getattr(where, "phys", None)
    return base if isinstance(base, int) else None


def _place(base: int | None, offset: int) -> str:
    return f"byte {offset} of the mapping" if base is None else f"{base + offset:#x}"


def _known(expected: bytes) -> str:
    """Describe *expected*, by its name if it is one of the patterns from offset 0 on."""
    for pattern, name in NAMES.items():
        if pattern.content(0, len(expected)) == expected:
            return f"holds {name}"
    return "holds the expected bytes"


def _pool_or_none(name: str) -> str:
    return f"pool {name}" if name else "no restricted pool"


def _slots(count: int) -> str:
    return f"{count} slots ({_bytes(count * SLOT)})"


def _bytes(count: int) -> str:
    if count >= 4 * KIB and not count % KIB:
        return f"{count // KIB} KiB"
    return f"{count} byte{'' if count == 1 else 's'}"
