# SPDX-License-Identifier: Apache-2.0
"""The table of kernel reports: how each begins, what it is called, and whether the guest goes on.

The console watcher and the readers of logs use this table and no other: a line that fails a test
has a title on the test's page, and a title fails the test. To add a report, add a row and a log in
tests/logs/.
"""

import re
from dataclasses import dataclass
from enum import Enum

from harness.base.kreport.symbols import PLACE, SYMBOL, function_name
from harness.base.outcome import Outcome

LONGEST = 200
"""Lines that a report may take: those of a deadlock with all its stacks."""


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
    *function* (where), *cache* and *race*. *source* is what prints it. *ends* is how the guest ends
    by it, None if the kernel goes on. *placed* is whether the title names a function: a panic's own
    words are enough, and a data race names both places itself. *continues* are detectors whose
    report, begun at most *within* lines before, this line is a part of: a WARN's text is printed
    before its "WARNING" line; *after_trace*: even if that report has its stack already. *skip* are
    functions that every report of this form has on its stack.
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


def _form(
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


_D = Detector

_TEXT_BEFORE = (*(_D.DMA_DEBUG, _D.LIST, _D.REFCOUNT, _D.ODEBUG, _D.FORTIFY, _D.USERCOPY, _D.SLAB),)
"""Detectors that print their text, and then WARN() or BUG()."""

_PAGES = (
    r"^(_*free_\w*pages?\w*|free_(unref|frozen)_\w+|_*alloc_\w*pages?\w*|_*folio_\w+|put_page"
    r"|release_pages|check_new_page\w*|get_page_from_freelist|prep_new_page|rmqueue\w*"
    r"|dma_free_contiguous|dma_alloc_contiguous|dma_direct_alloc_\w+)$"
)
"""Functions by which everybody allocates and frees pages."""

FORMS: tuple[Form, ...] = (
    _form(
        _D.PANIC,
        rf"Kernel panic - not syncing: (?P<about>stack-protector: Kernel stack is corrupted) in: "
        rf"{PLACE}",
        "kernel/panic.c:__stack_chk_fail",
        Outcome.PANIC,
    ),
    _form(
        _D.PANIC,
        r"Kernel panic - not syncing: (?P<about>.*)",
        "kernel/panic.c:panic",
        Outcome.PANIC,
        placed=False,
    ),
    # of unknown origin there is one function
    _form(
        _D.KCSAN,
        rf"BUG: KCSAN: (?P<about>.*? in )(?P<race>{SYMBOL}(\+\S+)?( / {SYMBOL}(\+\S+)?)?)",
        "kernel/kcsan/report.c:print_report",
        placed=False,
    ),
    _form(
        _D.KASAN,
        rf"BUG: KASAN: (?P<about>.*?) in {PLACE}",
        "mm/kasan/report.c:print_error_description",
        continues=(_D.KASAN,),  # syzbot repeats the line for each inlined function
        within=3,
    ),
    _form(
        _D.KASAN,
        r"BUG: KASAN: (?P<about>\S+)",
        "mm/kasan/report.c:print_error_description, kasan_report_async",
    ),
    _form(
        _D.KASAN,
        r"Internal error: (?P<about>Oops - KASAN)",
        "arch/arm64/kernel/traps.c:kasan_handler",
        Outcome.OOPS,
        continues=(_D.KASAN,),
        after_trace=True,
    ),
    _form(
        _D.KFENCE,
        rf"BUG: KFENCE: (?P<about>.*?) in {PLACE}",
        "mm/kfence/report.c:kfence_report_error",
    ),
    _form(
        _D.KFENCE,
        r"BUG: KFENCE: (?P<about>[a-z -]+?)(?: in .*)?$",
        "mm/kfence/report.c:kfence_report_error",
    ),
    _form(
        _D.KMSAN,
        rf"BUG: KMSAN: (?P<about>.*?) in (?P<function>{SYMBOL})",
        "mm/kmsan/report.c:kmsan_report",
    ),
    _form(
        _D.UBSAN,
        r"UBSAN: (?P<about>.*?) in \S+",
        "lib/ubsan.c:ubsan_prologue",
    ),
    _form(
        _D.UBSAN,
        r"Internal error: UBSAN: (?P<about>[^:]*)",
        "arch/arm64/kernel/traps.c:ubsan_handler",
        Outcome.OOPS,
    ),
    _form(
        _D.CFI,
        rf"CFI failure at {PLACE}",
        "kernel/cfi.c:report_cfi_failure",
        about="indirect call",
    ),
    _form(
        _D.KMEMLEAK,
        r"kmemleak: \d+ (?P<about>new suspected memory leaks)",
        "mm/kmemleak.c:kmemleak_scan",
        placed=False,
    ),
    _form(
        _D.SLAB,
        r"BUG (?P<cache>\S+) .*\((?:Not tainted|Tainted: .*)\): (?P<about>.*)",
        "mm/slub.c:slab_bug",
        placed=False,
    ),
    _form(
        _D.LIST,
        r"(?P<about>list_(?:add|del)) (?:corruption|double add)",
        "lib/list_debug.c",
        continues=(_D.WARNING,),
    ),
    _form(
        _D.REFCOUNT,
        r"refcount_t: (?P<about>[a-z0-9 ;-]+)",
        "lib/refcount.c:refcount_warn_saturate",
        continues=(_D.WARNING,),
    ),
    _form(
        _D.ODEBUG,
        r"ODEBUG: (?P<about>\w+ \w+).* object type: \w+",
        "lib/debugobjects.c:debug_print_object",
        continues=(_D.WARNING,),
        skip=r"^(_*del_timer\w*|timer_\w+|_*init_work|hrtimer_\w+|rcu_\w+|call_rcu\w*|kfree)$",
    ),
    _form(
        _D.FORTIFY,
        r"(?:detected )?(?P<about>buffer overflow in \w+|\w+: detected buffer overflow"
        r"|\w+: detected \d+ byte (?:read|write) of buffer|memcpy: detected field-spanning \w+)",
        "lib/string_helpers.c:fortify_panic, include/linux/fortify-string.h",
        continues=(_D.WARNING,),
    ),
    _form(
        _D.USERCOPY,
        r"usercopy: (?P<about>Kernel memory (?:exposure|overwrite) attempt)",
        "mm/usercopy.c:usercopy_abort",
    ),
    _form(
        _D.SOFT_LOCKUP,
        r"(?:(?:NMI )?watchdog: )?BUG: soft lockup - .*",
        "kernel/watchdog.c:watchdog_timer_fn",
        Outcome.HANG,
    ),
    _form(
        _D.HARD_LOCKUP,
        r"(?:(?:NMI )?watchdog: )?(?:CPU\d+: )?Watchdog detected hard LOCKUP",
        "kernel/watchdog.c:watchdog_hardlockup_check",
        Outcome.HANG,
    ),
    _form(
        _D.WORKQUEUE,
        r"(?:workqueue: )?BUG: workqueue lockup - .*",
        "kernel/workqueue.c:wq_watchdog_timer_fn",
        Outcome.HANG,
        placed=False,
    ),
    _form(
        _D.RCU_STALL,
        r"(?:rcu: |rcu-tasks: )?INFO: \S+ (?:self-detected stall|detected (?:expedited )?stalls?)",
        "kernel/rcu/tree_stall.h:print_cpu_stall, tree_exp.h, tasks.h",
        Outcome.HANG,
    ),
    _form(
        _D.HUNG_TASK,
        r"INFO: task .* blocked (?:in I/O wait )?for more than ",
        "kernel/hung_task.c:check_hung_task",
        Outcome.HANG,
    ),
    _form(
        _D.ATOMIC,
        r"BUG: (?P<about>sleeping function called from invalid context)",
        "kernel/sched/core.c:__might_resched",
    ),
    _form(
        _D.ATOMIC,
        r"BUG: (?P<about>using \S+ in preemptible)",
        "lib/smp_processor_id.c:check_preemption_disabled",
    ),
    _form(
        _D.ATOMIC,
        r"BUG: (?P<about>scheduling while atomic|scheduling in a non-blocking section"
        r"|assuming \w+ \w+ context|assuming \w+ context)",
        "kernel/sched/core.c:__schedule_bug, schedule_debug, __cant_sleep",
    ),
    _form(
        _D.LOCKDEP,
        r"(?:\[ )?(?:WARNING|INFO|BUG): (?P<about>possible .*?|inconsistent lock state|bad .*?"
        r"|Nested .*?|held lock .*?|\S+-safe -> \S+-unsafe lock order"
        r"|lock held when returning to user space|chain_key collision)"
        r"(?: detected| is deadlock)?!?(?: \])?$",
        "kernel/locking/lockdep.c",
        placed=False,
    ),
    _form(
        _D.LOCKDEP,
        r"(?:\[ )?(?:WARNING|BUG): \S+/\d+ (?P<about>still has locks held)!",
        "kernel/locking/lockdep.c:print_held_locks_bug",
        placed=False,
    ),
    _form(
        _D.LOCKDEP,
        r"(?:\[ )?(?:WARNING|INFO): (?P<about>suspicious RCU usage)",
        "kernel/locking/lockdep.c:lockdep_rcu_suspicious",
    ),
    _form(
        _D.LOCKDEP,
        r"(?:\[ )?BUG: (?P<about>Invalid wait context)",
        "kernel/locking/lockdep.c:print_lock_invalid_wait_context",
    ),
    _form(
        _D.LOCKDEP,
        r"BUG: (?P<about>key) \S+ (?:has not been registered)",
        "kernel/locking/lockdep.c:lockdep_init_map_type",
        about="key has not been registered",
    ),
    _form(
        _D.LOCKDEP,
        r"BUG: (?P<about>MAX_\w+ too (?:low|small))",
        "kernel/locking/lockdep.c:print_lockdep_off",
        placed=False,
    ),
    _form(
        _D.LOCKDEP,
        r"INFO: (?P<about>trying to register non-static key)",
        "kernel/locking/lockdep.c:assign_lock_key",
    ),
    _form(
        _D.LOCKDEP,
        r"BUG: (?P<about>(?:spinlock|rwlock) .+?)(?: on CPU#|,|$)",
        "kernel/locking/spinlock_debug.c:spin_dump, rwlock_bug",
    ),
    # err_printk() is a WARN: driver, device, what, and values in brackets
    _form(
        _D.DMA_DEBUG,
        r"DMA-API: \S.*? \S+: (?P<about>[^\[]*)",
        "kernel/dma/debug.c:err_printk",
        placed=False,
    ),
    _form(
        _D.DMA_DEBUG,
        r"DMA-API: (?P<about>exceeded \d+ overlapping mappings of cacheline)",
        "kernel/dma/debug.c:active_cacheline_inc_overlap",
        placed=False,
    ),
    # the checks end for want of memory: what comes after is not checked any more
    _form(
        _D.DMA_DEBUG,
        r"DMA-API: (?P<about>debugging out of memory|.*dma-debug disabled)",
        "kernel/dma/debug.c:dma_entry_alloc, dma_debug_init",
        placed=False,
    ),
    _form(
        _D.SERROR,
        r"SError Interrupt on CPU\d+, code \S+ -- ",
        "arch/arm64/kernel/traps.c:arm64_serror_panic",
        Outcome.PANIC,
    ),
    _form(
        _D.STACK_OVERFLOW,
        r"Insufficient stack space to handle exception!",
        "arch/arm64/kernel/traps.c:panic_bad_stack",
        Outcome.PANIC,
    ),
    _form(
        _D.OOPS,
        r"(?P<about>Unhandled .* exception) on CPU\d+, ESR ",
        "arch/arm64/kernel/entry-common.c:__panic_unhandled",
        Outcome.PANIC,
    ),
    _form(
        _D.OOPS,
        r"(?P<about>Bad mode in .* handler) detected on CPU\d+, ",
        "arch/arm64/kernel/traps.c:bad_mode, up to 5.12",
        Outcome.PANIC,
    ),
    _form(
        _D.OOPS,
        r"Unable to handle kernel (?P<about>.*?)(?: at virtual address.*|$)",
        "arch/arm64/mm/fault.c:die_kernel_fault",
        Outcome.OOPS,
    ),
    _form(
        _D.OOPS,
        r"Internal error: (?:Oops - )?(?P<about>.*?)(?:: [0-9a-f]+)? \[#\d+\].*",
        "arch/arm64/kernel/traps.c:__die",
        Outcome.OOPS,
        continues=(_D.OOPS, _D.BUG, _D.CFI, _D.LIST, _D.FORTIFY, _D.USERCOPY, _D.SLAB),
    ),
    _form(
        _D.OOPS,
        r"BUG: (?:unable to handle )?(?:kernel )?(?P<about>NULL pointer dereference|page fault"
        r"|paging request)",
        "arch/x86/mm/fault.c:show_fault_oops",
        Outcome.OOPS,
    ),
    _form(
        _D.OOPS,
        r"(?:Oops: )?(?P<about>general protection fault|divide[ _]error|invalid opcode|int3"
        r"|stack segment|double fault|[Oo]ops)(?:,.*|[^:]*)?: [0-9a-f]{4} \[#\d+\]",
        "arch/x86/kernel/dumpstack.c:__die_header",
        Outcome.OOPS,
        continues=(_D.OOPS, _D.BUG, _D.LIST, _D.FORTIFY, _D.USERCOPY, _D.SLAB),
    ),
    # "[condition] " before the file: CONFIG_DEBUG_BUGVERBOSE_DETAILED
    _form(
        _D.BUG,
        rf"[kK]ernel BUG at (?:{PLACE})?.*",
        "lib/bug.c:__report_bug",
        Outcome.BUG,
        continues=_TEXT_BEFORE,
    ),
    _form(
        _D.WARNING,
        rf"WARNING: CPU: \d+ PID: \d+ at (?:.* )?{PLACE}",
        "kernel/panic.c:__warn, up to 6.18",
        continues=_TEXT_BEFORE,
    ),
    _form(
        _D.WARNING,
        rf"WARNING: (?:(?:.*? )?at )?{PLACE}, CPU#\d+",
        "kernel/panic.c:__warn, since 6.19",
        continues=_TEXT_BEFORE,
    ),
    _form(
        _D.WARNING,
        r"WARNING: (?:CPU: \d+ PID: \d+ at |(?:.* )?at \S+, CPU#\d+)",
        "kernel/panic.c:__warn",
        continues=_TEXT_BEFORE,
    ),
    _form(
        _D.OOM,
        r"(?P<about>.{1,32}?) invoked oom-killer: gfp_mask=",
        "mm/oom_kill.c:dump_header",
        placed=False,
    ),
    _form(
        _D.BUG,
        r"BUG: (?P<about>Bad page (?:state|map|cache)) in process ",
        "mm/page_alloc.c:bad_page, mm/memory.c:print_bad_pte, mm/filemap.c",
        skip=_PAGES,
    ),
    _form(
        _D.BUG,
        r"BUG: (?P<about>Bad rss-counter state|non-zero pgtables_bytes on freeing mm)",
        "kernel/fork.c:check_mm",
        placed=False,
    ),
    _form(
        _D.BUG,
        r"BUG: (?P<about>\S.*)",
        "any other",
    ),
)
"""The first that matches counts; what prints it is as in 6.12, where nothing else is said."""

FOLLOWS = re.compile(
    r"Fatal exception|panic_on_warn|panic_on_kmsan|kasan\.fault=panic|hung_task: blocked tasks"
    r"|softlockup: hung tasks|RCU Stall|Out of memory|System is deadlocked on memory"
    r"|Asynchronous SError|Hard LOCKUP|Unhandled exception|kernel stack overflow|bad mode"
    r"|workqueue: panic_on_stall|scheduling while atomic|system warned too often|Oopsed too often"
)
"""Panics that only carry out what an earlier report announced."""

KILLED = re.compile(r"Attempted to kill (?:init|the idle task)|Aiee, killing interrupt handler")
"""Panics that follow from an oops, if there was one: the kernel ends the task that it came in."""

_NUMBER = re.compile(r"0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\b\d+\b|\(_*ptrval_*\)")


@dataclass(frozen=True)
class First:
    """A first line: its *form*, what the title says, and the functions that it names."""

    form: Form
    about: str
    functions: tuple[str, ...]


def recognise(text: str) -> First | None:
    """The report that the kernel begins with *text*, printk's stamp and prefixes taken off."""
    text = text.lstrip()
    for form in FORMS:
        found = form.first.match(text)
        if found:
            named = found.groupdict()
            function = named.get("function")
            functions = (function_name(function),) if function else ()
            return First(form, form.about or _about(named), functions)
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


def title_of(detector: Detector, about: str, function: str = "") -> str:
    """*detector*, *about* what, in which *function*."""
    head = f"{detector.value}: {about}" if about else detector.value
    return f"{head} in {function}" if function else head
