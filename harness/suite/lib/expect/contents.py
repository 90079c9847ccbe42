# SPDX-License-Identifier: Apache-2.0
"""Expectations of the bytes in memory, in a buffer or in a mapping."""

from harness.devices.probe import (
    Buffer,
    HeldMemory,
    Pattern,
)
from harness.observe.memory import LiveMemory
from harness.suite.lib.expect.wording import size_text, violation_of
from harness.suite.lib.written import NAMES

UNCHANGED = "unchanged"


def holds(
    region: HeldMemory,
    pattern: Pattern,
    offset: int = 0,
    length: int | None = None,
    *,
    summary: str = "",
) -> None:
    """A range of *region* holds *pattern*."""
    _require(region, pattern, offset, length, f"holds {NAMES.get(pattern, pattern)}", summary)


def unchanged(
    region: HeldMemory,
    pattern: Pattern,
    offset: int = 0,
    length: int | None = None,
    *,
    summary: str = "",
) -> None:
    """A range of *region* still holds *pattern*."""
    _require(region, pattern, offset, length, UNCHANGED, summary)


def same_bytes(
    where: LiveMemory | HeldMemory, at: int, expected: bytes | bytearray, *, summary: str = ""
) -> None:
    """Guest memory from address *at* on, or a region from offset *at* on, holds *expected*."""
    whole = bytes(expected)
    if isinstance(where, HeldMemory):
        same = where.contains(whole, at)
    else:
        same = where.read(at, len(whole)) == whole
    if not same:
        _differ(where, at, whole, _known(whole), summary)


def _require(
    region: HeldMemory,
    pattern: Pattern,
    offset: int,
    length: int | None,
    wanted: str,
    summary: str,
) -> None:
    length = region.size - offset if length is None else length
    if length and not region.holds(pattern, offset, length):
        _differ(region, offset, pattern.content(offset, length), wanted, summary)


def _differ(
    where: LiveMemory | HeldMemory, at: int, expected: bytes, wanted: str, summary: str
) -> None:
    """Raise for memory that differs from *expected*: how many bytes, and the first of them."""
    seen = where.read(at, len(expected))
    wrong = [index for index in range(len(expected)) if seen[index] != expected[index]]
    base = _base(where)
    whole = f"{'buffer at ' if isinstance(where, Buffer) else ''}{_place(base, at)} {wanted}"
    if not wrong:
        raise violation_of(summary, whole, "it differed, and no longer does")
    first = wrong[0]
    verb = "changed" if wanted == UNCHANGED else "differ"
    changed = f"{size_text(len(wrong))} of {size_text(len(expected))} {verb}"
    byte = f"first at {_place(base, at + first)}: {expected[first]:02x} -> {seen[first]:02x}"
    raise violation_of(summary, whole, f"{changed}, {byte}")


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
