# SPDX-License-Identifier: Apache-2.0
"""Analyse accesses for double fetches.

A double fetch: bytes that the CPU loads twice within one operation, without a store of its own in
between. A device can change them between the two loads (time of check, time of use).

Bytes that the CPU stores and then loads are reported too: a device can change them in between.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from harness.base.address_range import AddressRange
from harness.jobs.double_fetch.ring import Access


@dataclass(frozen=True, order=True)
class Reader:
    """Who loads: the instruction at *pc*, or what called the copying function *helper* there.

    *driver*: where the DMA API was called that had it copied, 0 if it was not for that.
    """

    pc: int
    helper: str = ""
    driver: int = 0


@dataclass(frozen=True)
class _Fetch:
    """One access by an instruction, or all of one call of a copying function.

    The arm64 copying functions load the ends of short ranges more than once in one call
    (arch/arm64/lib/memcpy.S, 6.12): one copy is made, and no code has checked the bytes before.
    """

    reader: Reader
    instance: tuple[int, ...]
    stored: bool


@dataclass
class DoubleFetch:
    """Bytes that *first* loads, or has *stored*, and *second* loads, and how often that happened.

    *addresses* are the bytes' guest-physical ones, *times* how many loads, or calls of a copying
    function, read again what another had read or stored.
    """

    first: Reader
    second: Reader
    stored: bool = False
    addresses: set[int] = field(default_factory=set)
    times: int = 0

    @property
    def poll(self) -> bool:
        """Whether it is one instruction that reads again what it has read."""
        return self.first == self.second

    def ranges(self) -> tuple[AddressRange, ...]:
        """The bytes as contiguous ranges, ascending."""
        ranges: list[AddressRange] = []
        for address in sorted(self.addresses):
            if ranges and ranges[-1].end == address:
                ranges[-1] = replace(ranges[-1], size=ranges[-1].size + 1)
            else:
                ranges.append(AddressRange(address, 1))
        return tuple(ranges)


def double_fetches(
    accesses: Iterable[Access], reader_of: Callable[[Access], Reader]
) -> tuple[DoubleFetch, ...]:
    """The double fetches of one operation, in the order in which they were first seen.

    *reader_of* says who loads: see :class:`Reader`.
    """
    return tuple(one for one in second_looks(accesses, reader_of) if not one.stored)


def second_looks(
    accesses: Iterable[Access], reader_of: Callable[[Access], Reader]
) -> tuple[DoubleFetch, ...]:
    """The same, and what was stored and read back, but for copies out of the pool.

    To read back from a mapping is what copying out is for.
    """
    found: dict[tuple[Reader, Reader, bool], DoubleFetch] = {}
    for addresses, first, second in _repeats(accesses, reader_of):
        if first.stored and second.reader.driver:
            continue
        key = (first.reader, second.reader, first.stored)
        double = found.setdefault(key, DoubleFetch(*key))
        double.addresses |= addresses
        double.times += 1
    return tuple(found.values())


def _repeats(
    accesses: Iterable[Access], reader_of: Callable[[Access], Reader]
) -> Iterator[tuple[set[int], _Fetch, _Fetch]]:
    """Each load with the access of the same bytes before it, and which bytes those are."""
    touched: dict[int, _Fetch] = {}
    common: dict[tuple[_Fetch, _Fetch], set[int]] = {}
    for access in accesses:
        fetch = _fetch(access, reader_of(access))
        for place in range(access.address, access.address + access.size):
            before = touched.get(place, fetch)
            if not access.store and before.instance != fetch.instance:
                common.setdefault((before, fetch), set()).add(place)
            touched[place] = fetch
    for (first, second), shared in common.items():
        yield shared, first, second


def _fetch(access: Access, reader: Reader) -> _Fetch:
    copying = (access.cpu, access.call)
    return _Fetch(reader, copying if reader.helper else (access.number,), access.store)
