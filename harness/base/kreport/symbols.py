# SPDX-License-Identifier: Apache-2.0
"""Functions in a report: stack frames, program counters, and which of them are in every report."""

import re
from dataclasses import dataclass

SYMBOL = r"[A-Za-z_][\w.$]*"

PLACE = rf"(?P<function>{SYMBOL})\+0x[0-9a-f]+/0x[0-9a-f]+"
"""lib/vsprintf.c, ``%pS``"""

_WHERE = (
    rf"(?P<function>{SYMBOL})(?=\+0x| \(?\S+:\d)"
    r"(?:\+(?P<offset>0x[0-9a-f]+)/(?P<size>0x[0-9a-f]+))?"
    r"(?: \((?P<source>[^\s()]+:\d+)(?: \(discriminator \d+\))?\)| (?P<line>[\w./+-]+\.[chS]:\d+))?"
    r"(?:\s+\[(?P<module>[\w-]+)[^\]]*\])?"
)
"""A function as the kernel prints it, or scripts/decode_stacktrace.sh or syzkaller rewrites it."""

FRAME = re.compile(
    rf"^(?:\S{{1,16}}: (?= ))?\s*(?:\[<[0-9a-f]*>\]\s+)?{_WHERE}(?:\s+\([A-Z]+\))?\s*$", re.ASCII
)
"""A frame of a stack: kernel/stacktrace.c, arch/arm64/kernel/stacktrace.c:dump_backtrace_entry.

A module's build id may follow its name (CONFIG_STACKTRACE_BUILD_ID); since 6.14 "(P)", "(C)", "(F)"
and the like say how arm64 found the frame. A name after "? ", as on x86, is a word found on the
stack, not a frame."""

COUNTER = re.compile(
    rf"(?:^|\s)(?P<register>pc|lr|PC is at|LR is at|RIP: [0-9a-f]+)(?: ?: ?|:| ){_WHERE}", re.ASCII
)
"""arch/arm64/kernel/process.c:__show_regs, arch/x86/kernel/dumpstack.c:show_ip"""

TRACE = re.compile(r"(?:^|\s)(?:Call [Tt]race|Backtrace|backtrace):\s*$|NMI backtrace for cpu")

OTHER_STACK = re.compile(
    r"^(?:Allocated|Freed|Last potentially related work|Second to last|Uninit was|Local variable"
    r"|allocated by|freed by|page last (?:allocated|free)|Stack depot|Showing all locks)"
)
"""After it comes the stack of an earlier event, not that of the report."""

_SUFFIX = re.compile(r"\.(constprop|isra|part|cold|llvm|lto_priv|cfi|cfi_jt|resume)\b.*")
"""What a compiler adds to the name of a function that it split, cloned or wrapped."""

CARRIERS = re.compile(
    # what prints a report
    r"^(_*dump_(backtrace|stack\w*|header|page)|show_(stack|regs|trace_log_lvl)|arch_stack_walk"
    r"|stack_trace_\w+|print_\w+|_*die\w*|report_bug|bug_handler"
    r"|bug_brk_handler|brk_handler|call_(el1_)?break_hook|do_(el1_)?brk64|do_debug_exception"
    r"|reserved_fault_brk_handler|cfi_(handler|brk_handler)|report_cfi_failure|_*warn\w*"
    r"|__report_bug|_?printk|v?panic|nmi_panic|check_panic_on_warn|oops_\w+"
    # sanitizers and checks
    r"|_*kasan_\w+|_*hw?asan_\w+|_*asan_\w+|_*kmsan_\w+|_*msan_\w+|_*kcsan_\w+|_*tsan_\w+"
    r"|_*kfence_\w+|_*ubsan_\w+|check_region_inline|check_memory_region\w*|end_report|kfree_\w+_rcu"
    r"|refcount_\w+|_*list_(add|del)_\w*valid\w*|_*fortify_\w+|_*usercopy_\w+|__check_object_size"
    r"|_*check_heap_object|debug_(object|check|print|smp|dma)_\w+|debug_print_object|check_sync"
    r"|check_unmap|check_preemption_disabled|__stack_chk_fail|_*might_(resched|sleep|fault)\w*"
    r"|lockdep_\w+|register_lock_class|__lock_(acquire|release)|lock_(acquire|release)"
    r"|slab_(err|fix|bug|pad_check)|object_err|check_(slab|object|bytes\w*)|bad_page\w*"
    # how the CPU got there
    r"|el[01]\w*|do_mem_abort|do_sea|do_translation_fault|do_bad_area|do_tag_check_fault"
    r"|__do_kernel_fault|do_page_fault|irqentry_\w+|asm_\w+|call_on_irq_stack"
    r"|do_interrupt_handler|_*handle_softirqs|_*do_softirq|do_softirq_own_stack"
    # memory functions: their callers are at fault
    r"|_*mem(cpy|set|move|cmp|chr|scan)\w*|_*copy_(to|from)_user\w*|_*arch_copy_\w+"
    # waiting, locking, scheduling
    r"|_*schedule\w*|preempt_schedule\w*|__switch_to|_raw_\w*(lock|unlock)\w*|queued_\w+_slowpath"
    r"|native_queued_\w+|do_raw_\w+|(rwsem|_*mutex|rt_mutex)_\w+|_{0,2}(down|up)(_\w+)?"
    r"|wait_for_\w*completion\w*|_*wait_for_common\w*|io_schedule\w*|cpu_relax|arch_local_\w+"
    r"|_*delay|msleep\w*|usleep_range\w*|__const_udelay|__udelay|smp_call_function\w*|csd_lock_wait"
    r"|sched_show_task|rcu_\w*stall\w*|check_cpu_stall|spin_(bug|dump)|rcu_sched_clock_irq"
    r"|update_process_times|(arch_trigger|nmi_cpu|nmi_trigger)_\w*backtrace|rcu_dump_cpu_stacks|__this_cpu_preempt_check"
    r"|_*atomic\d*_\w+|_*(test_and_)?(set|clear|change)_bit\w*|instrument_\w+)$"
)
"""Functions on the stack of many reports: they do not distinguish bugs."""


@dataclass(frozen=True)
class StackFrame:
    """An address in a report: *offset* bytes into *symbol* of *size* bytes.

    *module* is empty for the kernel itself. *register* is the register that held the address ("pc",
    "lr", "rip"), empty for an entry of the stack. *size* is 0 if the report does not say.
    """

    symbol: str
    offset: int
    size: int
    module: str = ""
    register: str = ""

    @property
    def function(self) -> str:
        """The function's name in the source."""
        return function_name(self.symbol)


def frame_in(text: str) -> StackFrame | None:
    """The frame or program counter in a line of a report; None if it has none."""
    found, register = FRAME.match(text), ""
    if found is None:
        found = COUNTER.search(text)
        if found is None:
            return None
        register = found["register"].partition(" ")[0].strip(":").lower()
    offset, size = found["offset"], found["size"]
    return StackFrame(
        found["function"],
        int(offset, 16) if offset else 0,
        int(size, 16) if size else 0,
        found["module"] or "",
        register,
    )


def function_name(symbol: str) -> str:
    """The function's name in the source: without the compiler's and arm64's additions.

    ``__pi_``: arch/arm64/include/asm/linkage.h, SYM_FUNC_START_PI.
    """
    return _SUFFIX.sub("", symbol).removeprefix("__pi_")
