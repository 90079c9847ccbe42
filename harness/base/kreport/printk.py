# SPDX-License-Identifier: Apache-2.0
"""Which lines of a console the kernel wrote, and what it said in them.

A console shows the kernel's log and the output of programs. The rules, in this order:

1. The kernel wrote each line with printk's time stamp (``CONFIG_PRINTK_TIME``,
   ``printk.time=1``), also in the formats of dmesg and syslog. Text before the stamp, such as a
   shell prompt without a line end, is ignored.
2. After the first stamped line, programs wrote the lines without a stamp: this kernel has stamps.
3. From the kernel's first line ("Booting Linux", "Linux version") until it runs init, the kernel
   wrote every line: there is no program yet.
4. The kernel wrote any other line without a stamp only if the line begins a report, and more of
   that report follows in the next lines (the CPU and process, a stack, an end mark) or a line
   such as "cut here" or "====" precedes it. One such line printed by a program is ignored.

A program's text in /dev/kmsg has a stamp too. The rule for reports tells it apart: a report
begins at the start of the kernel's text, after nothing but printk's prefixes.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from harness.base.kreport.symbols import FRAME, TRACE

WINDOW = 20
"""Lines without a stamp within which a report must continue, or a program wrote it."""


@dataclass(frozen=True)
class KernelLine:
    """Line number *index* (from 0) of the log; *text* is without stamp and prefixes.

    *caller* is the task or CPU that printk names (``CONFIG_PRINTK_CALLER``), or "".
    """

    index: int
    text: str
    caller: str = ""


_STAMP = re.compile(
    r"(?:"
    r"\[ *\d+\.\d{6}\]"  # kernel/printk/printk.c:print_time
    r"|\[[A-Z][a-z]{2} [A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d \d{4}\]"  # dmesg --ctime
    r"|\[ *[+<] *\d+\.\d{6}>?\]"  # dmesg --show-delta, --reltime
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.,]\d{6}[+-]\d\d:\d\d"  # dmesg --time-format=iso
    r"|(?:^[A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d|^\d{4}-\d\d-\d\dT\S+) \S+ kernel:"  # syslog
    r"(?: \[ *\d+\.\d{6}\])?"
    r")(?P<rest>.*)$"
)

_OF_A_PROGRAM = re.compile(r"^(?!kern)\w+ *:\w+ *: $")
"""Before the stamp, dmesg --decode says which facility wrote the line."""

_CALLER_ONLY = re.compile(r"^\[ *[TC]\d+\] ")
"""``CONFIG_PRINTK_CALLER`` without ``CONFIG_PRINTK_TIME``."""

_PREFIXES = tuple(
    re.compile(pattern)
    for pattern in (
        r"<\d+>",
        r"\[ *(?P<caller>[TC]\d+)[^\]]*\]",  # kernel/printk/printk.c:print_caller
        r"\[ *\d+: *[^\]]*: *(?P<caller>\d+)\]",  # Samsung: [CPU: process: pid]
        r"-?\(\d+\)\[ *(?P<caller>\d+):[^\]]*\]",  # MediaTek: (CPU)[pid:process]
        r"(?:[^\[\]]{1,16}: )?\[name:[^\]]*&\]",  # MediaTek: process: [name:file&]
        r"\[pid:(?P<caller>\d+)[^\]]*\]",  # Huawei: [pid:N,cpuN,process]
        r"\[\d{4}-\d\d-\d\d [\d:.]+\]",
        r"\(CPU:\d+-pid:(?P<caller>\d+):[^)]*\)",  # Asus
        r"\[(?:cpu|CPU) ?\d+\]",
        r"c\d+ +(?:(?P<caller>\d+) +)?(?:\([^)]*\) +)?",  # Spreadtrum, older Samsung: cCPU pid
        r"\[ *\d+\.\d{6}\]",  # a second stamp: a logger has put its own before the kernel's
    )
)
"""What printk, or a vendor's printk, puts between the stamp and the text."""

_ANY_CALLER = re.compile(r"^\[(?P<caller>[^\]]*)\]")
"""The caller, in any format, directly after the stamp without a blank."""

_BOOT = re.compile(r"^(?:Booting Linux on physical CPU|Linux version \d)")
_INIT = re.compile(r"^Run \S+ as init process")
"""init/main.c:run_init_process"""

_CUT = re.compile(r"^(?:-+\[ cut here \]-+|=+)$")
_GOES_ON = re.compile(
    r"^(?:CPU: \d+ |Modules linked in:|Hardware name: |---\[ end |Mem abort info:|Mem-Info:"
    r"|(?:Read|Write) (?:of size|at addr) |rcu: \t|Workqueue: |\S+ #\d+ (?:Not tainted|Tainted)"
    r"|\"echo 0 > /proc/sys/kernel/hung_task_timeout_secs\"|in_atomic\(\): \d)"
)


class KernelLines:
    """Selects the kernel's lines from the lines of a console, one after the other.

    *begins* says whether a text begins a report.
    """

    def __init__(self, begins: Callable[[str], bool]) -> None:
        self._begins = begins
        self._count = 0
        self._stamped = self._booting = self._confirmed = False
        self._before = ""
        self._held: list[KernelLine] = []

    def take(self, line: str) -> list[KernelLine]:
        """Take *line*; return the lines known to be the kernel's now, earlier ones included."""
        index, self._count = self._count, self._count + 1
        line = line.rstrip("\r\n")
        stamped = _stamped(index, line)
        if stamped is not None:
            self._stamped = True
            self._held.clear()
            return [stamped] if stamped.text or stamped.caller else []
        if self._stamped:
            return []
        return self._bare(_without_prefixes(KernelLine(index, line.rstrip())))

    def _bare(self, line: KernelLine) -> list[KernelLine]:
        """Take a line of a log without stamps so far."""
        if _BOOT.match(line.text):
            self._booting = True
        elif _INIT.match(line.text):
            self._booting = False
        before, self._before = self._before, line.text
        if self._booting:
            return [line]
        if not self._held and not self._begins(line.text):
            return [line] if self._confirmed else []
        self._held.append(line)
        if _CUT.match(before) or _goes_on(line.text):
            self._confirmed = True
            held, self._held = self._held, []
            return held
        if len(self._held) > WINDOW:
            self._held = _from_next(self._held[1:], self._begins)
        return []


def _stamped(index: int, line: str) -> KernelLine | None:
    """A line with a stamp, or None."""
    if _CALLER_ONLY.match(line):
        return _without_prefixes(KernelLine(index, line.rstrip()))
    found = _STAMP.search(line)
    if found is None:
        return None
    if _OF_A_PROGRAM.match(line[: found.start()]):
        return KernelLine(index, "")
    rest = found["rest"]
    caller = _ANY_CALLER.match(rest)
    if caller:
        rest = rest[caller.end() :]
    text = rest.removeprefix(" ").rstrip()
    return _without_prefixes(KernelLine(index, text, caller["caller"].strip() if caller else ""))


def _without_prefixes(line: KernelLine) -> KernelLine:
    more = True
    while more:
        more = False
        stripped = line.text.lstrip(" ")
        for prefix in _PREFIXES:
            found = prefix.match(stripped)
            if found:
                caller = line.caller or found.groupdict().get("caller") or ""
                text = stripped[found.end() :].removeprefix(" ")
                line, more = replace(line, text=text, caller=caller), True
                break
    return line


def _goes_on(text: str) -> bool:
    return bool(_GOES_ON.match(text) or TRACE.search(text) or FRAME.match(text))


def _from_next(lines: list[KernelLine], begins: Callable[[str], bool]) -> list[KernelLine]:
    """*lines* from the first that begins a report."""
    for number, line in enumerate(lines):
        if begins(line.text):
            return lines[number:]
    return []
