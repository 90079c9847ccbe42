# SPDX-License-Identifier: Apache-2.0
"""Expectations of values: a count, a list, bytes, any condition."""

from collections.abc import Sequence

from harness.plugin.failures import in_hex
from harness.suite.lib.expect.wording import shown, violation_of

FEW = 4
"""Elements of a list that a failure quotes as a whole."""


def counted(number: int, expected: int, what: str, *, summary: str = "") -> None:
    """There are *expected* of *what*, such as ``mappings in the pool``."""
    if number != expected:
        raise violation_of(summary, f"{expected} {what}", in_hex(f"{number}"))


def equal(observed: object, expected: object, what: str, *, summary: str = "") -> None:
    """*what* is *expected*. Of long lists and of bytes, the first difference is shown."""
    if observed == expected:
        return
    wanted, seen = shown(expected), shown(observed)
    if isinstance(observed, bytes) and isinstance(expected, bytes):
        at = _first_difference(observed, expected)
        what = f"{what}, byte {at} of {len(expected)}"
        wanted, seen = _hex(expected[at:]), _hex(observed[at:])
    elif isinstance(observed, list | tuple) and isinstance(expected, list | tuple):
        at = _first_difference(observed, expected)
        if max(len(observed), len(expected)) > FEW:
            wanted, seen = _element(expected, at), _element(observed, at)
    raise violation_of(summary, f"{what}: {wanted}", seen)


def require(met: object, expected: str, observed: str, *, summary: str = "") -> None:
    """A condition that no other helper checks is *met*."""
    if not met:
        raise violation_of(summary, in_hex(expected), shown(observed))


def _first_difference(one: Sequence[object], two: Sequence[object]) -> int:
    """The index of the first element that differs; the shorter length if one begins the other."""
    both = enumerate(zip(one, two, strict=False))
    return next((at for at, (a, b) in both if a != b), min(len(one), len(two)))


def _element(some: Sequence[object], at: int) -> str:
    """Describe the list *some* by its element number *at*."""
    return f"{len(some)}, number {at}: {shown(some[at]) if at < len(some) else 'missing'}"


def _hex(data: bytes) -> str:
    """The first 16 bytes of *data*."""
    return data[:16].hex(" ") or "nothing more"
