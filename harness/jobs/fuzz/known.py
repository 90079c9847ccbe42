# SPDX-License-Identifier: Apache-2.0
"""Of what a case shows: what is known already, and what means nothing."""

import re
from dataclasses import dataclass

from harness.jobs.fuzz.case import Case, Kind
from harness.jobs.fuzz.outcome import Seen


@dataclass(frozen=True)
class Known:
    """A finding of docs/findings.md: a *pattern* of what is seen of it, and how it comes about.

    That is a lie in one of these *fields*; with none, it is any case of that *kind*.
    """

    name: str
    kind: Kind | None
    pattern: str
    fields: frozenset[str] = frozenset()


_RING_FLAGS = frozenset({"link-flags", "table", "flags"})

KNOWN: tuple[Known, ...] = (
    Known(
        "chain-ends-where-ring-says",
        None,
        r"hang: .* in (detach_buf|vring_unmap|dma_unmap_page|dma_direct|swiotlb)",
        _RING_FLAGS,
    ),
    Known(
        "chain-ends-where-ring-says",
        None,
        r"oracle: (B13.*(its areas count|but io_tlb_used is)|B7: .* count as free)",
        _RING_FLAGS,
    ),
    Known("virtio-rng-keeps-a-slot", "rng", r"oracle: B13: \d+ slots .* held by nobody"),
)
"""What is found again and again on kernels without any change."""

HARMLESS: tuple[tuple[str, str], ...] = (
    (
        r"INFO: task .* blocked for more than",
        "a device may keep a request as long as it likes, and its user waits",
    ),
)
"""Kernel reports that a device may cause without anything being wrong, each with the reason."""


def is_harmless(report: str) -> bool:
    """Whether a kernel report is one that a device may cause."""
    return any(re.search(pattern, report) for pattern, _ in HARMLESS)


def known_as(case: Case, seen: Seen) -> str | None:
    """The finding of docs/findings.md that *seen* is, as it came of *case*; None if it is new."""
    fields = {lying.field for lying in case.lies}
    for known in KNOWN:
        like = known.kind in (None, case.kind) and re.search(known.pattern, str(seen))
        if like and (not known.fields or known.fields & fields):
            return known.name
    return None


def identity(case: Case, seen: Seen) -> str:
    """The same for all that is one finding, as far as can be told without a person."""
    return known_as(case, seen) or seen.signature
