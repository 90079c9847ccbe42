# SPDX-License-Identifier: Apache-2.0
"""The title of a report, from its first line: what kind, about what, without what changes."""

import re
from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """What a kernel can report; the value begins the title."""

    PANIC = "panic"
    OOPS = "oops"
    BUG = "BUG"
    WARNING = "WARNING"
    KASAN = "KASAN"
    KFENCE = "KFENCE"
    KCSAN = "KCSAN"
    KMSAN = "KMSAN"
    UBSAN = "UBSAN"
    SLAB = "slab corruption"
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
class Heading:
    """What a first line says: the kind, and *about* what (without numbers; may be empty).

    *functions* are those that it names. *placed* is whether a title of this kind says where in the
    kernel it was: a panic's own words are enough, and a data race names both places itself.
    """

    kind: Kind
    about: str = ""
    functions: tuple[str, ...] = ()
    placed: bool = True


_SYMBOL = r"[A-Za-z_][\w.$]*"
_PLACE = rf"(?P<function>{_SYMBOL})\+0x[0-9a-f]+/0x[0-9a-f]+"
"""lib/vsprintf.c, ``%pS``"""

_RULES: tuple[tuple[Kind, bool, re.Pattern[str]], ...] = tuple(
    (kind, placed, re.compile(pattern))
    for kind, placed, pattern in (
        # kernel/panic.c:panic
        (Kind.PANIC, False, r"Kernel panic - not syncing: (?P<about>.*)"),
        # kernel/kcsan/report.c:print_report; of unknown origin there is one function
        (
            Kind.KCSAN,
            False,
            rf"BUG: KCSAN: (?P<about>.*? in )(?P<race>{_SYMBOL}(\+\S+)?"
            rf"( / {_SYMBOL}(\+\S+)?)?)",
        ),
        # mm/kasan/report.c:print_error_description, mm/kfence/report.c, mm/kmsan/report.c
        (Kind.KASAN, True, rf"BUG: KASAN: (?P<about>.*?) in {_PLACE}"),
        (Kind.KASAN, True, r"BUG: KASAN: (?P<about>\S+)"),
        (Kind.KFENCE, True, rf"BUG: KFENCE: (?P<about>.*?) in {_PLACE}"),
        (Kind.KFENCE, True, r"BUG: KFENCE: (?P<about>[a-z -]+)"),
        (Kind.KMSAN, True, rf"BUG: KMSAN: (?P<about>.*?) in {_PLACE}"),
        # lib/ubsan.c:ubsan_prologue
        (Kind.UBSAN, True, r"UBSAN: (?P<about>.*?) in \S+"),
        # mm/slub.c:slab_bug
        (Kind.SLAB, False, r"BUG (?P<cache>\S+) .*\((?:Not tainted|Tainted: .*)\): (?P<about>.*)"),
        # kernel/watchdog.c, kernel/workqueue.c, kernel/rcu/tree_stall.h, kernel/hung_task.c
        (Kind.SOFT_LOCKUP, True, r"BUG: soft lockup - .*"),
        (Kind.WORKQUEUE, False, r"BUG: workqueue lockup - .*"),
        (Kind.RCU_STALL, True, r"INFO: \S+ (self-detected stall|detected (expedited )?stalls?).*"),
        (Kind.HUNG_TASK, True, r"INFO: task .* blocked for more than .*"),
        (Kind.HARD_LOCKUP, True, r"[Ww]atchdog detected hard LOCKUP.*"),
        # kernel/sched/core.c:__might_resched, lib/smp_processor_id.c, kernel/sched/core.c
        (Kind.ATOMIC, True, r"BUG: (?P<about>sleeping function called from invalid context)"),
        (Kind.ATOMIC, True, r"BUG: (?P<about>using \S+ in preemptible)"),
        (Kind.ATOMIC, True, r"BUG: (?P<about>scheduling while atomic)"),
        # kernel/locking/lockdep.c, kernel/rcu/update.c
        (
            Kind.LOCKDEP,
            False,
            r"WARNING: (?P<about>possible .*?|inconsistent .*?|bad .*?|Nested .*?"
            r"|held lock .*?|.*lock order .*?)( detected| is deadlock)?!?$",
        ),
        (Kind.LOCKDEP, True, r"WARNING: (?P<about>suspicious RCU usage)"),
        (Kind.LOCKDEP, True, r"BUG: \[?(?P<about>Invalid wait context)"),
        (Kind.LOCKDEP, True, r"INFO: (?P<about>trying to register non-static key)"),
        (Kind.LOCKDEP, True, r"BUG: (?P<about>(?:spinlock|rwlock) [a-z ]+)"),
        # kernel/dma/debug.c:err_printk: driver, device, what, and values in brackets
        (Kind.DMA_DEBUG, False, r"DMA-API: \S.*? \S+: (?P<about>[^\[]*)"),
        # arch/arm64/mm/fault.c:die_kernel_fault, arch/arm64/kernel/traps.c:die
        (Kind.OOPS, True, r"Unable to handle kernel (?P<about>.*?)(?: at virtual address.*|$)"),
        (Kind.OOPS, True, r"Internal error: (?:Oops - )?(?P<about>.*?)(?:: [0-9a-f]+)? \[#\d+\].*"),
        # lib/bug.c:report_bug, kernel/panic.c:__warn
        (Kind.BUG, True, r"[kK]ernel BUG at .*"),
        (Kind.WARNING, True, rf"WARNING: .* at \S+ {_PLACE}"),
        (Kind.WARNING, True, rf"WARNING: \S+ at {_PLACE}, CPU#\d+.*"),
        (Kind.WARNING, True, r"WARNING: .* at \S+"),
        # mm/oom_kill.c:dump_header
        (Kind.OOM, False, r"(?P<about>\S+) invoked oom-killer: .*"),
        (Kind.BUG, True, r"BUG: (?P<about>.*)"),
    )
)
"""The first that matches counts; the source of each format is above it (6.12)."""

_NUMBER = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\b\d+\b")
_SUFFIX = re.compile(r"\.(constprop|isra|part|cold|llvm|lto_priv)\b.*")
"""What a compiler adds to the name of a function that it has cut or cloned."""


def heading(first: str) -> Heading | None:
    """What the *first* line of a report says, printk's time stamp taken off."""
    for kind, placed, pattern in _RULES:
        found = pattern.search(first)
        if found:
            named = found.groupdict()
            function = named.get("function")
            functions = (function_name(function),) if function else ()
            return Heading(kind, _about(named), functions, placed)
    return None


def _about(named: dict[str, str | None]) -> str:
    text = without_numbers(named.get("about") or "")
    if race := named.get("race"):
        sides = sorted(function_name(side.partition("+")[0]) for side in race.split(" / "))
        return f"{text.removesuffix(' in')} in {' / '.join(sides)}"
    return f"{text} in {cache}" if (cache := named.get("cache")) else text


def without_numbers(text: str) -> str:
    """*text* with N for each number and address, and one blank for several."""
    return " ".join(_NUMBER.sub("N", text).split())


def function_name(symbol: str) -> str:
    """The function's name in the source: without the compiler's and arm64's additions.

    ``__pi_``: arch/arm64/include/asm/linkage.h, SYM_FUNC_START_PI.
    """
    return _SUFFIX.sub("", symbol).removeprefix("__pi_")


def title_of(kind: Kind, about: str, function: str = "") -> str:
    """*kind*, *about* what, in which *function*."""
    head = f"{kind.value}: {about}" if about else kind.value
    return f"{head} in {function}" if function else head
