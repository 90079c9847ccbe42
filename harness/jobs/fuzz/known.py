# SPDX-License-Identifier: Apache-2.0
"""Known findings and benign kernel reports among the symptoms of a case."""

import re
from dataclasses import dataclass

from harness.base.kreport import Detector, Report
from harness.jobs.fuzz.case import FuzzCase, Kind
from harness.jobs.fuzz.record import Symptom


@dataclass(frozen=True)
class Known:
    """A finding of docs/findings.md: a *pattern* of its symptoms, and what causes them.

    That is a mutation of one of these *fields*; with none, any case of that *kind*.
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
    Known(
        "virtio-rng-keeps-a-slot", "rng", r"oracle: B13: \d+ slots .* by no mapping or allocation"
    ),
)
"""Findings that show again and again on unmodified kernels."""

HARMLESS = {
    Detector.HUNG_TASK: "a device may keep a request as long as it likes, and its user waits",
}
"""Kernel reports that a device may cause without anything being wrong, each with the reason."""


def is_harmless(report: Report) -> bool:
    """Whether a kernel report is one that a device may cause."""
    return report.detector in HARMLESS


def known_as(case: FuzzCase, symptom: Symptom) -> str | None:
    """The finding of docs/findings.md that a *symptom* of *case* is; None if it is new."""
    fields = {mutation.field for mutation in case.mutations}
    for known in KNOWN:
        like = known.kind in (None, case.kind) and re.search(known.pattern, str(symptom))
        if like and (not known.fields or known.fields & fields):
            return known.name
    return None


def identity(case: FuzzCase, symptom: Symptom) -> str:
    """A name that is equal for symptoms of one cause, as far as a program can tell."""
    return known_as(case, symptom) or symptom.signature
