# SPDX-License-Identifier: Apache-2.0
"""Read the kernel's reports from the lines of a running console or of a whole log."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness.base.kreport.first_line import First, recognise, title_of, without_numbers
from harness.base.kreport.form import LONGEST, Detector
from harness.base.kreport.printk import KernelLine, KernelLines
from harness.base.kreport.symbols import CARRIERS, OTHER_STACK, TRACE, StackFrame, frame_in
from harness.base.kreport.table import FOLLOWS, KILLED
from harness.base.outcome import Outcome

NAMED_LOCKS = 2
"""Locks that a lockdep report is about; after them it lists all held locks."""

BENIGN_LOCKS = frozenset({frozenset({"pci_rescan_remove_lock", "&ctrl->reset_lock"})})
"""6.12's lockdep reports these at every hot-plug into a root port that was there at boot: pciehp
takes the two in both orders (drivers/pci/hotplug/pciehp_core.c:pciehp_probe, pciehp_ist).
From then on lockdep is off in that guest."""

_LOCK = re.compile(r"[0-9a-f]{8,} \((.+)\)\{\S+\}-\{\d+:\d+\}, at: ")
"""kernel/locking/lockdep.c:print_lock"""

_END = re.compile(
    r"---\[ end (?:trace|Kernel panic)|(?:Out of memory|Memory cgroup out of memory): Killed"
)
_RULER = re.compile(r"^=+$")
_NEW_BOOT = re.compile(r"^Booting Linux on physical CPU")
_OTHER_CPUS = re.compile(r"^Sending NMI from CPU")


@dataclass(frozen=True)
class Report:
    """One kernel report.

    *first_line* is the kernel's own text, *functions* the function at fault and its callers, in the
    report's order; *lines* are indices into the log. *ends* is how the report ends the guest, None
    if the kernel continues, and *last_words* the line that says so. *locks* are the two that
    lockdep names first: the lock to be taken, and the lock that is held. *cut*: the log ends before
    the report names the function for its title. *frames* are the program counter and the stack.
    """

    detector: Detector
    title: str
    first_line: str
    functions: tuple[str, ...]
    lines: range
    ends: Outcome | None = None
    last_words: str = ""
    locks: tuple[str, ...] = ()
    cut: bool = False
    frames: tuple[StackFrame, ...] = ()

    def __str__(self) -> str:
        return f"{self.title}: {self.first_line}"

    @property
    def benign(self) -> bool:
        """Whether unmodified kernels print it too, and it says nothing about DMA."""
        return frozenset(self.locks) in BENIGN_LOCKS

    def matches(self, pattern: re.Pattern[str]) -> bool:
        """Whether *pattern* is in the title or in the kernel's own first line."""
        return bool(pattern.search(self.title) or pattern.search(self.first_line))


class ReportReader:
    """Reads the lines of a console one after the other and keeps the reports in them."""

    def __init__(self) -> None:
        self._lines = KernelLines(lambda text: recognise(text) is not None)
        self._drafts: list[_Draft] = []
        self._unfinished: list[_Draft] = []

    @property
    def reports(self) -> tuple[Report, ...]:
        """The reports so far, oldest first; the last ones may still get more lines."""
        return tuple(draft.report() for draft in self._drafts)

    def take(self, line: str) -> list[Report]:
        """Read *line*; return the reports that begin with it, or that end the guest with it."""
        found = (self._take(kernel_line) for kernel_line in self._lines.take(line))
        return [draft.report() for draft in found if draft is not None]

    def _take(self, line: KernelLine) -> "_Draft | None":
        first = recognise(line.text)
        if first is None:
            self._add(line)
            return None
        host = self._continued(first, line)
        if host is None:
            for draft in self._open(line.caller):
                draft.open = False
            draft = _Draft(first, line)
            self._drafts.append(draft)
            self._unfinished = [*(one for one in self._unfinished if one.open), draft]
            return draft
        return host if host.go_on(first, line) else None

    def _add(self, line: KernelLine) -> None:
        """Add *line* to the report that it belongs to, if there is one."""
        if _NEW_BOOT.match(line.text):
            self._unfinished = []
        for draft in self._open(line.caller)[-1:]:
            draft.add(line)

    def _open(self, caller: str) -> "list[_Draft]":
        return [draft for draft in self._unfinished if draft.open and draft.takes(caller)]

    def _continued(self, first: First, line: KernelLine) -> "_Draft | None":
        """The earlier report that *line* continues, although it could begin one."""
        if first.form.detector is Detector.PANIC:
            own = [draft for draft in self._drafts if draft.takes(line.caller)]
            last = next(iter([*own[-1:], *self._drafts[-1:]]), None)
            return last if last and last.leads_to(line.text) else None
        form = first.form
        earlier = self._drafts[-1:] if form.after_trace else self._open(line.caller)
        for draft in reversed(earlier):
            near = line.index - draft.end <= form.within
            may = form.after_trace or not draft.traced
            if near and may and draft.first.form.detector in form.continues:
                return draft
        return None


@dataclass
class _Draft:
    """A report that is being read."""

    first: First
    line: KernelLine
    open: bool = True
    traced: bool = False
    frames: list[StackFrame] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.begin = self.end = self.line.index
        self.caller, self.any_caller = self.line.caller, False
        self.ends, self.last_words = self.first.form.ends, self.line.text
        self.named = list(self.first.functions)
        self.locks: list[str] = []
        self._other_stack = self._dead = False

    def takes(self, caller: str) -> bool:
        """Whether a line of *caller* may belong to it."""
        return self.any_caller or not caller or not self.caller or caller == self.caller

    def leads_to(self, panic: str) -> bool:
        """Whether *panic* is only a consequence of this report."""
        if self._dead:
            return False
        killed = KILLED.search(panic) and self.ends in (Outcome.OOPS, Outcome.BUG)
        return bool(FOLLOWS.search(panic) or killed)

    def go_on(self, first: First, line: KernelLine) -> bool:
        """Add a line that could begin a report; return whether it ends the guest."""
        is_panic = first.form.detector is Detector.PANIC
        if not is_panic:
            self.named += first.functions
        if is_panic:
            self._dead = True
            self._other_stack = self.traced  # then the panic's own stack says nothing new
        self.end = line.index
        if self.ends is not None or first.form.ends is None:
            return False
        self.ends, self.last_words = first.form.ends, line.text
        return True

    def add(self, line: KernelLine) -> None:
        """Add a line that does not begin a report."""
        text = line.text
        ruler = bool(_RULER.match(text)) and line.index > self.begin + 2
        if line.index - self.begin >= LONGEST:
            self.open = False
            return
        self.end = line.index
        if _END.search(text) or ruler:
            self.open = False
        self.any_caller = self.any_caller or bool(_OTHER_CPUS.match(text))
        self._look(text)

    def _look(self, text: str) -> None:
        lock = _LOCK.search(text) if self.first.form.detector is Detector.LOCKDEP else None
        if lock and len(self.locks) < NAMED_LOCKS:
            self.locks.append(lock[1])
        elif TRACE.search(text):
            self._other_stack = self._dead and self.traced
            self.traced = True
        elif OTHER_STACK.match(text):
            self._other_stack = True
        elif self._other_stack:
            return
        elif frame := frame_in(text):
            self.traced = self.traced or not frame.register
            self.frames.append(frame)

    def report(self) -> Report:
        """The report as far as it was read."""
        form = self.first.form
        functions = tuple(dict.fromkeys((*self.named, *(one.function for one in self.frames))))
        function = self._telling(functions) if form.placed else ""
        about = self.first.about
        if self.locks:
            about += f" ({' after '.join(self.locks)})"
        return Report(
            form.detector,
            title_of(form.detector, about, function),
            self.line.text,
            functions,
            range(self.begin, self.end + 1),
            self.ends,
            self.last_words if self.ends else "",
            tuple(self.locks),
            cut=form.placed and not function,
            frames=tuple(self.frames),
        )

    def _telling(self, functions: Sequence[str]) -> str:
        """The first function that distinguishes this bug; the first one if none does."""
        skip = self.first.form.skip
        for name in functions:
            if not CARRIERS.match(name) and not (skip and skip.match(name)):
                return name
        return next(iter(functions), "")


def reports_in(log: Iterable[str]) -> list[Report]:
    """The reports in the lines of a log: of a console, dmesg or the journal."""
    reader = ReportReader()
    for line in log:
        reader.take(line)
    return list(reader.reports)


def boot_stop(log: Iterable[str]) -> str:
    """The title of a boot that stopped without a report: the kernel's last line.

    Numbers are replaced, so that the next try has the same title.
    """
    reader = KernelLines(lambda text: recognise(text) is not None)
    said = [text for line in log for one in reader.take(line) if (text := one.text.strip())]
    if not said:
        return title_of(Detector.BOOT_STOPS, "without a word")
    return title_of(Detector.BOOT_STOPS, f"after '{without_numbers(said[-1])}'")
