# SPDX-License-Identifier: Apache-2.0
"""All the reports in a log, each with the lines that belong to it."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.base.kreport.outcome import Report, kernel_report
from harness.base.kreport.title import (
    Heading,
    Kind,
    function_name,
    heading,
    title_of,
    without_numbers,
)


@dataclass(frozen=True)
class Crash:
    """A report: its *kind*, its *title*, its own words, and where it stands in the log.

    *lines* are indices into the log. *cut* is whether the log ends, or the next report begins,
    before a place in the kernel was named that the title should have.
    """

    kind: Kind
    title: str
    words: str
    function: str
    lines: range
    cut: bool = False

    def __str__(self) -> str:
        return self.title


LONGEST = 200
"""Lines that a report may take: those of a deadlock with all its stacks."""

_STAMPED = re.compile(r"\[ *\d+\.\d{6}\](?:\[[^\]]*\])? ?(.*)$")
_COUNTER = re.compile(r"(?:^|\s)(?:pc|lr) : ([A-Za-z_][\w.$]*)\+0x")
_FRAME = re.compile(
    r"^(?: \? | ?)([A-Za-z_][\w.$]*)\+0x[0-9a-f]+/0x[0-9a-f]+(?: \[\S+\])?(?: \([A-Z]+\))?$"
)
_TRACE = re.compile(r"^(Call trace:|CPU: \d+ .*Call trace:|Backtrace:)")
_END = re.compile(r"---\[ end (trace|Kernel panic)")
_RULER = re.compile(r"^=+$")

_FOLLOWS = re.compile(
    r"Fatal exception|panic_on_warn|hung_task: blocked tasks|softlockup: hung tasks|RCU Stall"
    r"|Out of memory|System is deadlocked on memory|Asynchronous SError|Hard LOCKUP"
)
"""Panics that only carry out what an earlier report announced."""

_CARRIERS = re.compile(
    r"^(_*dump_backtrace|show_stack|dump_stack\w*|print_\w*report\w*|kasan_\w+|__?asan_\w+"
    r"|__kasan_\w+|_*mem(cpy|set|move|cmp)\w*|__warn\w*|warn_slowpath\w*|report_bug|bug_handler"
    r"|refcount_warn_saturate|_*might_(resched|sleep|fault)\w*|lockdep_rcu_suspicious"
    r"|ubsan_\w+|__ubsan_\w+|debug_print_object|panic|check_preemption_disabled|debug_smp_\w+"
    r"|_*schedule\w*|__switch_to|_raw_\w*(lock|unlock)\w*|queued_\w+_slowpath|do_raw_\w+"
    r"|(rwsem|__?mutex|rt_mutex)_\w+|_{0,2}(down|up)(_\w+)?|mutex_lock\w*|wait_for_\w*completion\w*"
    r"|io_schedule\w*|cpu_relax|arch_local_\w+|_*delay|__const_udelay|__udelay|el1\w*|do_mem_abort"
    r"|do_sea|sched_show_task|rcu_\w*stall\w*|check_cpu_stall|spin_(bug|dump)|register_lock_class"
    r"|__lock_acquire|lock_acquire|rcu_sched_clock_irq|call_on_irq_stack|do_interrupt_handler"
    r"|handle_softirqs|__do_softirq|____do_softirq|do_softirq_own_stack|update_process_times)$"
)
"""Functions that any report of their kind has on its stack: they do not say which bug it is."""


def crashes_in(log: Sequence[str]) -> list[Crash]:
    """The reports in the lines of a console, without those that only carry out an earlier one.

    OOM is one too, though no fault of the kernel's: it often explains the rest.
    """
    starts = list(_starts(log))
    crashes: list[Crash] = []
    for number, (index, report, head) in enumerate(starts):
        end = starts[number + 1][0] if number + 1 < len(starts) else len(log)
        lines = range(index, _end(log, index, end))
        previous = crashes[-1] if crashes else None
        if previous and _belongs(previous, head, report, lines):
            crashes[-1] = _joined(previous, head, log, lines)
        else:
            crashes.append(_crash(report, head, log, lines))
    return crashes


def _starts(log: Sequence[str]) -> Iterator[tuple[int, Report | str, Heading]]:
    for index, line in enumerate(log):
        text = _text(line)
        report: Report | str | None = kernel_report(line)
        if report is None and text is not None and " invoked oom-killer: " in text:
            report = text
        if report is not None:
            head = heading(report if isinstance(report, str) else report.title)
            if head:
                yield index, report, head


def _end(log: Sequence[str], begin: int, limit: int) -> int:
    """Where the report that begins at *begin* ends: its end mark, the next report, or LONGEST."""
    for index in range(begin + 1, min(limit, begin + LONGEST)):
        text = _text(log[index]) or ""
        if _END.search(text) or (_RULER.match(text) and index > begin + 2):
            return index + 1
    return min(limit, begin + LONGEST)


def _belongs(previous: Crash, head: Heading, report: Report | str, lines: range) -> bool:
    """Whether a report is one more line of the *previous* one."""
    words = str(report)
    if head.kind is Kind.PANIC:
        return bool(_FOLLOWS.search(words))
    if head.kind is Kind.OOPS and "Internal error" in words:
        near = lines.start - previous.lines.stop < LONGEST
        return near and previous.kind in (Kind.OOPS, Kind.BUG) and previous.cut
    return False


def _joined(previous: Crash, head: Heading, log: Sequence[str], lines: range) -> Crash:
    """The *previous* report with *lines* more; they may say where it was."""
    whole = range(previous.lines.start, lines.stop)
    if not previous.cut or head.kind is Kind.PANIC:
        return Crash(
            previous.kind, previous.title, previous.words, previous.function, whole, previous.cut
        )
    function = _function(log, whole, ())
    title = title_of(previous.kind, previous.title.removeprefix(previous.kind.value).lstrip(": "))
    if function:
        title = f"{title} in {function}"
    return Crash(previous.kind, title, previous.words, function, whole, not function)


def _crash(report: Report | str, head: Heading, log: Sequence[str], lines: range) -> Crash:
    words = report if isinstance(report, str) else report.title
    function = _function(log, lines, head.functions) if head.placed else ""
    about = head.about
    if head.kind is Kind.LOCKDEP and isinstance(report, Report):
        about += _locks(report, log, lines)
    return Crash(
        head.kind,
        title_of(head.kind, about, function),
        words,
        function,
        lines,
        cut=head.placed and not function,
    )


def _locks(report: Report, log: Sequence[str], lines: range) -> str:
    """The locks that lockdep names first, if it does."""
    for index in lines:
        report = report.with_line(log[index])
    return f" ({' after '.join(report.locks)})" if report.locks else ""


def _function(log: Sequence[str], lines: range, named: tuple[str, ...]) -> str:
    """The first function that tells this bug from others; the first at all if none does."""
    seen = [*named, *_functions(log, lines)]
    telling = [name for name in seen if not _CARRIERS.match(name)]
    return next(iter(telling or seen), "")


def _functions(log: Sequence[str], lines: range) -> Iterator[str]:
    """Where the CPU was, and who called, in the order in which the report names them."""
    inside = False
    for index in lines:
        text = _text(log[index])
        if text is None:
            continue
        counter = _COUNTER.search(text)
        if counter:
            yield function_name(counter[1])
        elif _TRACE.match(text):
            inside = True
        elif inside and (frame := _FRAME.match(text)):
            yield function_name(frame[1])
        elif inside:
            inside = False


def _text(line: str) -> str | None:
    """What the kernel said in a console line; None if a program wrote it."""
    found = _STAMPED.search(line.rstrip("\r\n"))
    return found[1].rstrip() if found else None


def boot_stop(log: Sequence[str]) -> str:
    """The title of a boot that came to nothing, by the last thing that the kernel said.

    Numbers do not count, so that the title is the same on the next try.
    """
    said = [text for line in log if (text := _text(line))]
    if not said:
        return title_of(Kind.BOOT_STOPS, "without a word")
    return title_of(Kind.BOOT_STOPS, f"after '{without_numbers(said[-1])}'")
