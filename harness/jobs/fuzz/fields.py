# SPDX-License-Identifier: Apache-2.0
"""The fields of an answer and of a configuration space that can be mutated, with values to try.

A value is a number from 0 to 2**64 - 1; a field takes its low bits.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from harness.devices.rogue.vhost import Answer, Request, Write, mutations
from harness.devices.rogue.vhost.mutations import ConfigMutation, Mutation
from harness.devices.rogue.vhost.ring import FLAGS_OFFSET, INDEX_OFFSET
from harness.jobs.fuzz.case import ConfigSetting, FieldMutation, Kind
from harness.observe.memory.virtqueue import RING_HEAD

BYTES = (0x00, 0x01, 0x5A, 0x7F, 0xA5, 0xFF)
HALVES = (0, 1, 2, 3, 63, 64, 127, 128, 0x7FFF, 0x8000, 0xFFFE, 0xFFFF)
WORDS = (0, 1, 2, 63, 64, 65, 511, 513, 4095, 4097, 0xFFFF, 1 << 16, (1 << 31) - 1, 1 << 31)
LARGE = ((1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)
ADDRESSES = (0, 0x4020_0000, 0x4EFF_F000, 0x4F00_0000, 0x4F10_0000, 0x5000_0000, 1 << 52, *LARGE)
"""Guest-physical: the kernel's image, around and in the pool of most shapes, and nowhere."""

BYTE, HALF, WORD, LONG = 0xFF, 0xFFFF, 0xFFFF_FFFF, 0xFFFF_FFFF_FFFF_FFFF

MOST_DELAY = 200
"""Milliseconds: long enough for requests to overlap."""


@dataclass(frozen=True)
class Field:
    """The *mutation* of a value, and *values* that are worth a try; others go up to *limit*."""

    mutation: Callable[[int], Mutation]
    values: Sequence[int]
    limit: int

    def pick(self, random: Random) -> int:
        """One of the values, or one time in five a random one."""
        return (
            random.choice(self.values) if random.random() < 0.8 else random.randint(0, self.limit)
        )


def _writes(place: Callable[[Request], int], size: int) -> Callable[[int], Mutation]:
    """Write *size* bytes of the value to a place before the request is completed."""

    def for_value(value: int) -> Mutation:
        def mutation(request: Request, answer: Answer) -> Answer:
            data = (value & ((1 << 8 * size) - 1)).to_bytes(size, "little")
            return replace(answer, writes=(*answer.writes, Write(place(request), data)))

        return mutation

    return for_value


def _late(value: int) -> Mutation:
    return mutations.late_data(value & BYTE, 0.0)


def _status(value: int) -> Mutation:
    """The last byte that is written: the status byte of a disk."""

    def mutation(_: Request, answer: Answer) -> Answer:
        if not answer.writes:
            return answer
        last = answer.writes[-1]
        data = last.data[:-1] + bytes([value & BYTE])
        return replace(answer, writes=(*answer.writes[:-1], Write(last.address, data)))

    return mutation


def _short(value: int) -> Mutation:
    """Only so many of the writes are done."""
    return lambda _, answer: replace(answer, writes=answer.writes[:value])


FIELDS: Mapping[str, Field] = {
    "length": Field(lambda v: mutations.wrong_length(v & WORD), (*WORDS, LARGE[0]), WORD),
    "identity": Field(
        lambda v: mutations.wrong_id(v & WORD), (*range(9), 127, 128, LARGE[0]), WORD
    ),
    "advance": Field(lambda v: mutations.index_jump(v & HALF), HALVES, HALF),
    "times": Field(lambda v: mutations.duplicate(v & BYTE), (0, 0, 2, 2, 3, 129), 255),
    "delay": Field(
        lambda v: mutations.delayed(min(v, MOST_DELAY) / 1000), (1, 20, 100, 150), MOST_DELAY
    ),
    "hang-up": Field(lambda _: mutations.hang_up, (1,), 1),
    "data": Field(lambda v: mutations.other_data(v & BYTE), BYTES, BYTE),
    "status": Field(_status, (*range(4), 0x7F, 0x80, 0xFF), BYTE),
    "short": Field(_short, (0, 1), 3),
    "late": Field(_late, BYTES, BYTE),
    "address": Field(lambda v: mutations.rewritten(address=v & LONG), ADDRESSES, LONG),
    "size": Field(lambda v: mutations.rewritten(size=v & WORD), (*WORDS, LARGE[0]), WORD),
    "flags": Field(lambda v: mutations.rewritten(flags=v & HALF), range(8), HALF),
    "next": Field(lambda v: mutations.rewritten(then=v & HALF), HALVES, HALF),
    "link-flags": Field(_writes(lambda r: r.links[-1] + FLAGS_OFFSET, 2), range(8), HALF),
    "link-size": Field(_writes(lambda r: r.links[0] + 8, 4), WORDS, WORD),
    "table": Field(lambda v: mutations.scribble(v & BYTE), BYTES, BYTE),
    "available": Field(lambda v: mutations.scribble(v & BYTE, available=True), BYTES, BYTE),
    "used-flags": Field(_writes(lambda r: r.layout.used, 2), HALVES, HALF),
    "used-first": Field(_writes(lambda r: r.layout.used + RING_HEAD, 8), (0, *LARGE), LONG),
    "used-index": Field(_writes(lambda r: r.layout.used + INDEX_OFFSET, 2), HALVES, HALF),
    "event": Field(_writes(lambda r: r.layout.available_event, 2), HALVES, HALF),
}
"""Mutations of one answer. ``size`` is of its buffers, ``link-size`` of its first link in the ring,
which for a disk is that of the indirect table."""

COSTLY = frozenset({"link-flags", "table", "flags", "hang-up"})
"""Tried less often. The first three can send Linux's ring round forever (docs/findings.md,
chain-ends-where-ring-says), and each such guest costs a wait; hang-up ends the case."""


@dataclass(frozen=True)
class ConfigField:
    """A number in a configuration space: where it is, and values that are worth a try."""

    offset: int
    size: int
    values: Sequence[int] = WORDS


CONFIG: Mapping[Kind, Mapping[str, ConfigField]] = {
    "rng": {},
    "blk": {
        "capacity": ConfigField(0, 8, (0, 1, 7, 8, 9, 1 << 20, 1 << 41, *LARGE)),
        "size-max": ConfigField(8, 4),
        "seg-max": ConfigField(12, 4),
        "geometry": ConfigField(16, 4),
        "blk-size": ConfigField(
            20, 4, (0, 1, 511, 513, 1024, 4096, 8192, 1 << 16, 1 << 31, LARGE[0])
        ),
        "topology": ConfigField(24, 8, LARGE),
    },
}
"""Virtual I/O Device Specification 1.2, 5.2.4."""


def mutation_for(fields: Sequence[FieldMutation], first: int) -> Mutation:
    """All of *fields* as one mutation of the answers from request number *first* on."""

    def mutation(request: Request, answer: Answer) -> Answer:
        for one in fields:
            if one.request == request.number - first:
                answer = FIELDS[one.field].mutation(one.value)(request, answer)
        return answer

    return mutation


def config_mutation(kind: Kind, settings: Sequence[ConfigSetting]) -> ConfigMutation | None:
    """A configuration space that says what *settings* say; None if that is nothing."""
    if not settings:
        return None

    def mutation(honest: bytes) -> bytes:
        content = bytearray(honest)
        for setting in settings:
            place = CONFIG[kind][setting.field]
            value = setting.value & ((1 << 8 * place.size) - 1)
            content[place.offset : place.offset + place.size] = value.to_bytes(place.size, "little")
        return bytes(content[: len(honest)])

    return mutation
