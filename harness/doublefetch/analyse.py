# SPDX-License-Identifier: Apache-2.0
"""From accesses to double fetches; nothing here knows of a guest.

A double fetch: bytes that the CPU loads twice within one operation, without a store of its own in
between. A device that changes them between the two loads has two truths told to one kernel.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from harness.doublefetch.ring import Access


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
    """One load by an instruction, or all loads of one call of a copying function.

    The arm64 copying functions load the ends of short ranges more than once in one call
    (arch/arm64/lib/memcpy.S, 6.12): one copy is made, and nobody has seen the bytes before.
    """

    reader: Reader
    instance: tuple[int, ...]


@dataclass
class DoubleFetch:
    """Bytes that *first* loads and *second* loads again, and how often that happened.

    *places* are the bytes' guest-physical addresses, *times* how many loads, or calls of a copying
    function, read again what another had read.
    """

    first: Reader
    second: Reader
    places: set[int] = field(default_factory=set)
    times: int = 0

    @property
    def poll(self) -> bool:
        """Whether it is one instruction that reads again what it has read."""
        return self.first == self.second

    def spans(self) -> tuple[tuple[int, int], ...]:
        """The bytes as address and size of each contiguous range, ascending."""
        spans: list[tuple[int, int]] = []
        for place in sorted(self.places):
            if spans and sum(spans[-1]) == place:
                spans[-1] = (spans[-1][0], spans[-1][1] + 1)
            else:
                spans.append((place, 1))
        return tuple(spans)


def double_fetches(
    accesses: Iterable[Access], reader_of: Callable[[Access], Reader]
) -> tuple[DoubleFetch, ...]:
    """The double fetches of one operation, in the order in which they were first seen.

    *reader_of* says who loads: see :class:`Reader`.
    """
    found: dict[tuple[Reader, Reader], DoubleFetch] = {}
    for places, first, second in _repeats(accesses, reader_of):
        key = (first.reader, second.reader)
        double = found.setdefault(key, DoubleFetch(first.reader, second.reader))
        double.places |= places
        double.times += 1
    return tuple(found.values())


def _repeats(
    accesses: Iterable[Access], reader_of: Callable[[Access], Reader]
) -> Iterator[tuple[set[int], _Fetch, _Fetch]]:
    """Each pair of fetches with bytes in common, and those bytes; the pair's order is theirs."""
    loaded: dict[int, _Fetch] = {}
    common: dict[tuple[_Fetch, _Fetch], set[int]] = {}
    for access in accesses:
        places = range(access.address, access.address + access.size)
        if access.store:
            for place in places:
                loaded.pop(place, None)
            continue
        fetch = _fetch(access, reader_of(access))
        for place in places:
            before = loaded.get(place, fetch)
            if before.instance != fetch.instance:
                common.setdefault((before, fetch), set()).add(place)
            loaded[place] = fetch
    for (first, second), shared in common.items():
        yield shared, first, second


def _fetch(access: Access, reader: Reader) -> _Fetch:
    copying = (access.cpu, access.call)
    return _Fetch(reader, copying if reader.helper else (access.number,))
