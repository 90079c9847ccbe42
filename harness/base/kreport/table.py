# SPDX-License-Identifier: Apache-2.0
"""The table of kernel reports: how each begins, its title, and whether the kernel continues.

The console watcher and the readers of logs all use this table: each line that fails a test has a
title on the test's page, and each title fails the test. To add a report, add a row and a log in
tests/logs/.
"""

import re

from harness.base.kreport.form import Detector, Form, form
from harness.base.kreport.symbols import PLACE, SYMBOL
from harness.base.outcome import Outcome

_D = Detector

_TEXT_BEFORE = (*(_D.DMA_DEBUG, _D.LIST, _D.REFCOUNT, _D.ODEBUG, _D.FORTIFY, _D.USERCOPY, _D.SLAB),)
"""Detectors that print their text, and then WARN() or BUG()."""

_PAGES = (
    r"^(_*free_\w*pages?\w*|free_(unref|frozen)_\w+|_*alloc_\w*pages?\w*|_*folio_\w+|put_page"
    r"|release_pages|check_new_page\w*|get_page_from_freelist|prep_new_page|rmqueue\w*"
    r"|dma_free_contiguous|dma_alloc_contiguous|dma_direct_alloc_\w+)$"
)
"""Functions that allocate and free pages for all callers."""

FORMS: tuple[Form, ...] = (
    form(
        _D.PANIC,
        rf"Kernel panic - not syncing: (?P<about>stack-protector: Kernel stack is corrupted) in: "
        rf"{PLACE}",
        "kernel/panic.c:__stack_chk_fail",
        Outcome.PANIC,
    ),
    form(
        _D.PANIC,
        r"Kernel panic - not syncing: (?P<about>.*)",
        "kernel/panic.c:panic",
        Outcome.PANIC,
        placed=False,
    ),
    # a race of unknown origin names one function
    form(
        _D.KCSAN,
        rf"BUG: KCSAN: (?P<about>.*? in )(?P<race>{SYMBOL}(\+\S+)?( / {SYMBOL}(\+\S+)?)?)",
        "kernel/kcsan/report.c:print_report",
        placed=False,
    ),
    form(
        _D.KASAN,
        rf"BUG: KASAN: (?P<about>.*?) in {PLACE}",
        "mm/kasan/report.c:print_error_description",
        continues=(_D.KASAN,),  # syzbot repeats the line for each inlined function
        within=3,
    ),
    form(
        _D.KASAN,
        r"BUG: KASAN: (?P<about>\S+)",
        "mm/kasan/report.c:print_error_description, kasan_report_async",
    ),
    form(
        _D.KASAN,
        r"Internal error: (?P<about>Oops - KASAN)",
        "arch/arm64/kernel/traps.c:kasan_handler",
        Outcome.OOPS,
        continues=(_D.KASAN,),
        after_trace=True,
    ),
    form(
        _D.KFENCE,
        rf"BUG: KFENCE: (?P<about>.*?) in {PLACE}",
        "mm/kfence/report.c:kfence_report_error",
    ),
    form(
        _D.KFENCE,
        r"BUG: KFENCE: (?P<about>[a-z -]+?)(?: in .*)?$",
        "mm/kfence/report.c:kfence_report_error",
    ),
    form(
        _D.KMSAN,
        rf"BUG: KMSAN: (?P<about>.*?) in (?P<function>{SYMBOL})",
        "mm/kmsan/report.c:kmsan_report",
    ),
    form(
        _D.UBSAN,
        r"UBSAN: (?P<about>.*?) in \S+",
        "lib/ubsan.c:ubsan_prologue",
    ),
    form(
        _D.UBSAN,
        r"Internal error: UBSAN: (?P<about>[^:]*)",
        "arch/arm64/kernel/traps.c:ubsan_handler",
        Outcome.OOPS,
    ),
    form(
        _D.CFI,
        rf"CFI failure at {PLACE}",
        "kernel/cfi.c:report_cfi_failure",
        about="indirect call",
    ),
    form(
        _D.KMEMLEAK,
        r"kmemleak: \d+ (?P<about>new suspected memory leaks)",
        "mm/kmemleak.c:kmemleak_scan",
        placed=False,
    ),
    form(
        _D.SLAB,
        r"BUG (?P<cache>\S+) .*\((?:Not tainted|Tainted: .*)\): (?P<about>.*)",
        "mm/slub.c:slab_bug",
        placed=False,
    ),
    form(
        _D.LIST,
        r"(?P<about>list_(?:add|del)) (?:corruption|double add)",
        "lib/list_debug.c",
        continues=(_D.WARNING,),
    ),
    form(
        _D.REFCOUNT,
        r"refcount_t: (?P<about>[a-z0-9 ;-]+)",
        "lib/refcount.c:refcount_warn_saturate",
        continues=(_D.WARNING,),
    ),
    form(
        _D.ODEBUG,
        r"ODEBUG: (?P<about>\w+ \w+).* object type: \w+",
        "lib/debugobjects.c:debug_print_object",
        continues=(_D.WARNING,),
        skip=r"^(_*del_timer\w*|timer_\w+|_*init_work|hrtimer_\w+|rcu_\w+|call_rcu\w*|kfree)$",
    ),
    form(
        _D.FORTIFY,
        r"(?:detected )?(?P<about>buffer overflow in \w+|\w+: detected buffer overflow"
        r"|\w+: detected \d+ byte (?:read|write) of buffer|memcpy: detected field-spanning \w+)",
        "lib/string_helpers.c:fortify_panic, include/linux/fortify-string.h",
        continues=(_D.WARNING,),
    ),
    form(
        _D.USERCOPY,
        r"usercopy: (?P<about>Kernel memory (?:exposure|overwrite) attempt)",
        "mm/usercopy.c:usercopy_abort",
    ),
    form(
        _D.SOFT_LOCKUP,
        r"(?:(?:NMI )?watchdog: )?BUG: soft lockup - .*",
        "kernel/watchdog.c:watchdog_timer_fn",
        Outcome.HANG,
    ),
    form(
        _D.HARD_LOCKUP,
        r"(?:(?:NMI )?watchdog: )?(?:CPU\d+: )?Watchdog detected hard LOCKUP",
        "kernel/watchdog.c:watchdog_hardlockup_check",
        Outcome.HANG,
    ),
    form(
        _D.WORKQUEUE,
        r"(?:workqueue: )?BUG: workqueue lockup - .*",
        "kernel/workqueue.c:wq_watchdog_timer_fn",
        Outcome.HANG,
        placed=False,
    ),
    form(
        _D.RCU_STALL,
        r"(?:rcu: |rcu-tasks: )?INFO: \S+ (?:self-detected stall|detected (?:expedited )?stalls?)",
        "kernel/rcu/tree_stall.h:print_cpu_stall, tree_exp.h, tasks.h",
        Outcome.HANG,
    ),
    form(
        _D.HUNG_TASK,
        r"INFO: task .* blocked (?:in I/O wait )?for more than ",
        "kernel/hung_task.c:check_hung_task",
        Outcome.HANG,
    ),
    form(
        _D.ATOMIC,
        r"BUG: (?P<about>sleeping function called from invalid context)",
        "kernel/sched/core.c:__might_resched",
    ),
    form(
        _D.ATOMIC,
        r"BUG: (?P<about>using \S+ in preemptible)",
        "lib/smp_processor_id.c:check_preemption_disabled",
    ),
    form(
        _D.ATOMIC,
        r"BUG: (?P<about>scheduling while atomic|scheduling in a non-blocking section"
        r"|assuming \w+ \w+ context|assuming \w+ context)",
        "kernel/sched/core.c:__schedule_bug, schedule_debug, __cant_sleep",
    ),
    form(
        _D.LOCKDEP,
        r"(?:\[ )?(?:WARNING|INFO|BUG): (?P<about>possible .*?|inconsistent lock state|bad .*?"
        r"|Nested .*?|held lock .*?|\S+-safe -> \S+-unsafe lock order"
        r"|lock held when returning to user space|chain_key collision)"
        r"(?: detected| is deadlock)?!?(?: \])?$",
        "kernel/locking/lockdep.c",
        placed=False,
    ),
    form(
        _D.LOCKDEP,
        r"(?:\[ )?(?:WARNING|BUG): \S+/\d+ (?P<about>still has locks held)!",
        "kernel/locking/lockdep.c:print_held_locks_bug",
        placed=False,
    ),
    form(
        _D.LOCKDEP,
        r"(?:\[ )?(?:WARNING|INFO): (?P<about>suspicious RCU usage)",
        "kernel/locking/lockdep.c:lockdep_rcu_suspicious",
    ),
    form(
        _D.LOCKDEP,
        r"(?:\[ )?BUG: (?P<about>Invalid wait context)",
        "kernel/locking/lockdep.c:print_lock_invalid_wait_context",
    ),
    form(
        _D.LOCKDEP,
        r"BUG: (?P<about>key) \S+ (?:has not been registered)",
        "kernel/locking/lockdep.c:lockdep_init_map_type",
        about="key has not been registered",
    ),
    form(
        _D.LOCKDEP,
        r"BUG: (?P<about>MAX_\w+ too (?:low|small))",
        "kernel/locking/lockdep.c:print_lockdep_off",
        placed=False,
    ),
    form(
        _D.LOCKDEP,
        r"INFO: (?P<about>trying to register non-static key)",
        "kernel/locking/lockdep.c:assign_lock_key",
    ),
    form(
        _D.LOCKDEP,
        r"BUG: (?P<about>(?:spinlock|rwlock) .+?)(?: on CPU#|,|$)",
        "kernel/locking/spinlock_debug.c:spin_dump, rwlock_bug",
    ),
    # err_printk() is a WARN: driver, device, what, and values in brackets
    form(
        _D.DMA_DEBUG,
        r"DMA-API: \S.*? \S+: (?P<about>[^\[]*)",
        "kernel/dma/debug.c:err_printk",
        placed=False,
    ),
    form(
        _D.DMA_DEBUG,
        r"DMA-API: (?P<about>exceeded \d+ overlapping mappings of cacheline)",
        "kernel/dma/debug.c:active_cacheline_inc_overlap",
        placed=False,
    ),
    # without memory the checks stop: later calls are not checked
    form(
        _D.DMA_DEBUG,
        r"DMA-API: (?P<about>debugging out of memory|.*dma-debug disabled)",
        "kernel/dma/debug.c:dma_entry_alloc, dma_debug_init",
        placed=False,
    ),
    form(
        _D.SERROR,
        r"SError Interrupt on CPU\d+, code \S+ -- ",
        "arch/arm64/kernel/traps.c:arm64_serror_panic",
        Outcome.PANIC,
    ),
    form(
        _D.STACK_OVERFLOW,
        r"Insufficient stack space to handle exception!",
        "arch/arm64/kernel/traps.c:panic_bad_stack",
        Outcome.PANIC,
    ),
    form(
        _D.OOPS,
        r"(?P<about>Unhandled .* exception) on CPU\d+, ESR ",
        "arch/arm64/kernel/entry-common.c:__panic_unhandled",
        Outcome.PANIC,
    ),
    form(
        _D.OOPS,
        r"(?P<about>Bad mode in .* handler) detected on CPU\d+, ",
        "arch/arm64/kernel/traps.c:bad_mode, up to 5.12",
        Outcome.PANIC,
    ),
    form(
        _D.OOPS,
        r"Unable to handle kernel (?P<about>.*?)(?: at virtual address.*|$)",
        "arch/arm64/mm/fault.c:die_kernel_fault",
        Outcome.OOPS,
    ),
    form(
        _D.OOPS,
        r"Internal error: (?:Oops - )?(?P<about>.*?)(?:: [0-9a-f]+)? \[#\d+\].*",
        "arch/arm64/kernel/traps.c:__die",
        Outcome.OOPS,
        continues=(_D.OOPS, _D.BUG, _D.CFI, _D.LIST, _D.FORTIFY, _D.USERCOPY, _D.SLAB),
    ),
    form(
        _D.OOPS,
        r"BUG: (?:unable to handle )?(?:kernel )?(?P<about>NULL pointer dereference|page fault"
        r"|paging request)",
        "arch/x86/mm/fault.c:show_fault_oops",
        Outcome.OOPS,
    ),
    form(
        _D.OOPS,
        r"(?:Oops: )?(?P<about>general protection fault|divide[ _]error|invalid opcode|int3"
        r"|stack segment|double fault|[Oo]ops)(?:,.*|[^:]*)?: [0-9a-f]{4} \[#\d+\]",
        "arch/x86/kernel/dumpstack.c:__die_header",
        Outcome.OOPS,
        continues=(_D.OOPS, _D.BUG, _D.LIST, _D.FORTIFY, _D.USERCOPY, _D.SLAB),
    ),
    # "[condition] " before the file: CONFIG_DEBUG_BUGVERBOSE_DETAILED
    form(
        _D.BUG,
        rf"[kK]ernel BUG at (?:{PLACE})?.*",
        "lib/bug.c:__report_bug",
        Outcome.BUG,
        continues=_TEXT_BEFORE,
    ),
    form(
        _D.WARNING,
        rf"WARNING: CPU: \d+ PID: \d+ at (?:.* )?{PLACE}",
        "kernel/panic.c:__warn, up to 6.18",
        continues=_TEXT_BEFORE,
    ),
    form(
        _D.WARNING,
        rf"WARNING: (?:(?:.*? )?at )?{PLACE}, CPU#\d+",
        "kernel/panic.c:__warn, since 6.19",
        continues=_TEXT_BEFORE,
    ),
    form(
        _D.WARNING,
        r"WARNING: (?:CPU: \d+ PID: \d+ at |(?:.* )?at \S+, CPU#\d+)",
        "kernel/panic.c:__warn",
        continues=_TEXT_BEFORE,
    ),
    form(
        _D.OOM,
        r"(?P<about>.{1,32}?) invoked oom-killer: gfp_mask=",
        "mm/oom_kill.c:dump_header",
        placed=False,
    ),
    form(
        _D.BUG,
        r"BUG: (?P<about>Bad page (?:state|map|cache)) in process ",
        "mm/page_alloc.c:bad_page, mm/memory.c:print_bad_pte, mm/filemap.c",
        skip=_PAGES,
    ),
    form(
        _D.BUG,
        r"BUG: (?P<about>Bad rss-counter state|non-zero pgtables_bytes on freeing mm)",
        "kernel/fork.c:check_mm",
        placed=False,
    ),
    form(
        _D.BUG,
        r"BUG: (?P<about>\S.*)",
        "any other",
    ),
)
"""The first form that matches counts. *source* is from 6.12 unless it says otherwise."""

FOLLOWS = re.compile(
    r"Fatal exception|panic_on_warn|panic_on_kmsan|kasan\.fault=panic|hung_task: blocked tasks"
    r"|softlockup: hung tasks|RCU Stall|Out of memory|System is deadlocked on memory"
    r"|Asynchronous SError|Hard LOCKUP|Unhandled exception|kernel stack overflow|bad mode"
    r"|workqueue: panic_on_stall|scheduling while atomic|system warned too often|Oopsed too often"
)
"""Panics that follow from an earlier report."""

KILLED = re.compile(r"Attempted to kill (?:init|the idle task)|Aiee, killing interrupt handler")
"""Panics that follow from an oops, if there was one: the kernel kills the task that oopsed."""
