# SPDX-License-Identifier: Apache-2.0
"""Oracles: a pool has no other user, does not grow, and the default pool is not used instead."""

from collections.abc import Iterator

from harness.base.violation import Violation
from harness.observe.memory import KernelTypes, PoolState, page_uses, pages_not_reserved


def given_away(types: KernelTypes, pool: PoolState) -> Iterator[Violation]:
    """Pages of *pool* that the page allocator has."""
    size = types.page_size
    first, last = pool.base // size, (pool.end - 1) // size
    pages = pages_not_reserved(types, first * size, last - first + 1)
    if pages:
        use = page_uses(types, pages[0], 1)[0].value
        text = f"{len(pages)} pages of {pool.name} are the page allocator's"
        yield Violation(("E5",), f"{text}, the first, {pages[0]:#x}, as {use}")


def grown(pool: PoolState) -> Iterator[Violation]:
    """A restricted pool with more memory than its own."""
    if pool.total_nslabs != pool.nslabs:
        text = f"{pool.name} has {pool.nslabs} slots, but the kernel counts {pool.total_nslabs}"
        yield Violation(("E16",), text)


def worked_instead(before: PoolState, after: PoolState) -> Iterator[Violation]:
    """The default pool, if it was in use or grew in the meantime."""
    for what, one, two in (
        ("slots", before.total_nslabs, after.total_nslabs),
        ("slots in use", before.used, after.used),
        ("slots in use at most", before.hiwater, after.hiwater),
    ):
        if one != two:
            yield Violation(("E3",), f"the default pool's {what} went from {one} to {two}")
