# SPDX-License-Identifier: Apache-2.0
"""Forms of the first line of a kernel report, and the detectors that print them."""

import re
from dataclasses import dataclass
from enum import Enum

from harness.base.outcome import Outcome

LONGEST = 200
"""Most lines of a report: a deadlock with all its stacks."""


class Detector(Enum):
    """What in the kernel found the fault; the value begins the title."""

    PANIC = "panic"
    OOPS = "oops"
    SERROR = "SError"
    STACK_OVERFLOW = "stack overflow"
    BUG = "BUG"
    WARNING = "WARNING"
    CFI = "CFI"
    KASAN = "KASAN"
    KFENCE = "KFENCE"
    KCSAN = "KCSAN"
    KMSAN = "KMSAN"
    UBSAN = "UBSAN"
    KMEMLEAK = "memory leak"
    SLAB = "slab corruption"
    LIST = "list corruption"
    REFCOUNT = "refcount"
    ODEBUG = "ODEBUG"
    FORTIFY = "FORTIFY"
    USERCOPY = "usercopy"
    LOCKDEP = "lockdep"
    ATOMIC = "atomic context"
    DMA_DEBUG = "DMA-API"
    SOFT_LOCKUP = "soft lockup"
    HARD_LOCKUP = "hard lockup"
    WORKQUEUE = "workqueue lockup"
    RCU_STALL = "RCU stall"
    HUNG_TASK = "hung task"
    OOM = "out of memory"
    BOOT_STOPS = "boot stops"


@dataclass(frozen=True)
class Form:
    """One form of a report's first line.

    *first* matches at the start of the kernel's text; its groups: *about* (what the title says),
    *function* (where), *cache* and *race*. *source* is the code that prints it. *ends* is how the
    report ends the guest, None if the kernel continues. *placed*: whether the title names a
    function; a panic's own words are enough, and a data race names both functions itself.
    *continues*: the line is a part of a report of one of these detectors that began at most
    *within* lines before, because a WARN's text is printed before its "WARNING" line;
    *after_trace*: even if that report has its stack already. *skip* matches functions that every
    report of this form has on its stack.
    """

    detector: Detector
    first: re.Pattern[str]
    source: str
    ends: Outcome | None = None
    placed: bool = True
    continues: frozenset[Detector] = frozenset()
    within: int = LONGEST
    after_trace: bool = False
    skip: re.Pattern[str] | None = None
    about: str = ""

    def __str__(self) -> str:
        return f"{self.detector.value}: {self.first.pattern}"


def form(
    detector: Detector,
    first: str,
    source: str,
    ends: Outcome | None = None,
    *,
    placed: bool = True,
    continues: tuple[Detector, ...] = (),
    within: int = LONGEST,
    after_trace: bool = False,
    skip: str | None = None,
    about: str = "",
) -> Form:
    """A row of the table; regular expressions as text."""
    return Form(
        detector,
        re.compile(first),
        source,
        ends,
        placed,
        frozenset(continues),
        within,
        after_trace,
        re.compile(skip) if skip else None,
        about,
    )
