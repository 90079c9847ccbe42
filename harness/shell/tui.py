# SPDX-License-Identifier: Apache-2.0
"""``harness shell --tui``: the session on the whole screen, with the pool as a living map.

It needs Textual (the extra ``tui``), 80 columns and 24 rows, no mouse and no colour.
"""

import threading
import time
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import Input, RichLog, Static

from harness.base.errors import GuestError, HarnessError
from harness.machine.qemu.artifacts import ROGUE_LOG
from harness.observe.memory import PoolState, slots_in_use
from harness.observe.memory.names import pools_in_order
from harness.shell.answer import Answer
from harness.shell.command import EndOfSession
from harness.shell.commands import commands
from harness.shell.device_watch import ROGUE_ACCESS, LogTail
from harness.shell.line import parse_line
from harness.shell.output import piped
from harness.shell.pool_map import LEGEND, SlotAges, directions, pool_map, slot_letters
from harness.shell.session import Session, error_text
from harness.shell.target import Target

REFRESH = 0.5
"""Seconds between two looks at the machine."""

MAP_ROWS = 5

FULL_TERMINAL = {"console", "qmp", "drgn", "gdb", "python"}
"""Commands that take the terminal; the screen comes back after them."""


class ShellScreen(App[None]):
    """Pool map, kernel log, answers and a prompt."""

    CSS = """
    #pool { height: 8; border: solid $primary; }
    #log, #answers { width: 1fr; border: solid $primary; }
    #prompt { height: 3; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [("ctrl+q", "quit", "Quit")]

    def __init__(self, target: Target) -> None:
        super().__init__()
        self._session, self._target = Session(target), target
        self._ages = SlotAges()
        self._tail = LogTail(target.guest.directory / ROGUE_LOG)
        self._shown = 0
        self._busy = threading.Lock()
        """Held by whoever reads the machine: drgn serves one thread at a time."""

    def compose(self) -> ComposeResult:
        """The widgets."""
        pool = Static(id="pool", markup=False)
        pool.border_title = "pool"
        log = RichLog(id="log", wrap=True, markup=False, max_lines=1000)
        log.border_title = "kernel log"
        answers = RichLog(id="answers", wrap=True, markup=False, max_lines=5000)
        answers.border_title = "answers"
        yield pool
        with Horizontal():
            yield log
            yield answers
        yield Input(placeholder="a command of the shell; 'help' lists them", id="prompt")

    def on_mount(self) -> None:
        """Begin to look at the machine."""
        self.query_one("#prompt", Input).focus()
        self.set_interval(REFRESH, self.refresh_machine)
        self.refresh_machine()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Run the line that was typed."""
        line = event.value.strip()
        event.input.clear()
        if not line:
            return
        self.query_one("#answers", RichLog).write(Text(f"> {line}", style="bold"))
        if line.split()[0] in FULL_TERMINAL:
            with self._busy, self.suspend():
                self._session.obey(line)
        else:
            self._run(line)

    def refresh_machine(self) -> None:
        """Show what is new in the kernel's log, and the pool, unless a command reads it."""
        log = self._target.guest.kernel_log()
        for line in log[self._shown :]:
            self.query_one("#log", RichLog).write(line)
        self._shown = len(log)
        if self._busy.acquire(blocking=False):
            try:
                self.query_one("#pool", Static).update("\n".join(self._pool_lines()))
            except (GuestError, HarnessError, LookupError, OSError) as fault:
                self.query_one("#pool", Static).update(error_text(fault))
            finally:
                self._busy.release()

    @work(thread=True, group="commands")
    def _run(self, text: str) -> None:
        """Run a line on a thread of its own, so that the screen lives on."""
        with self._busy:
            try:
                line = parse_line(text, commands())
                answer = self._session.answer(line) or Answer()
                said = answer.json() if line.json else answer.text
                said = piped(line.pipe, said) if line.pipe else said
            except EndOfSession:
                self.call_from_thread(self.exit)
                return
            except Exception as fault:
                said = f"error: {error_text(fault)}"
            news = [line for notice in self._target.notices for line in notice()]
        self.call_from_thread(self._show, "\n".join([said, *news]).strip())

    def _show(self, text: str) -> None:
        if text:
            self.query_one("#answers", RichLog).write(text)

    def _pool_lines(self) -> list[str]:
        """The first pool's state and map."""
        pools = pools_in_order(self._target.types)
        if not pools:
            return ["the kernel has set up no pool yet"]
        pool, now = pools[0], time.monotonic()
        used = slots_in_use(self._target.types, pool)
        self._ages.update(used, now)
        self._note_rogues(pool, now)
        letters = slot_letters(used, directions(self._target.guest.agent.journal), self._ages, now)
        width = max(20, self.size.width - 4)
        head = f"{pool.name}  {pool.used} of {pool.nslabs} slots used   {LEGEND}"
        return [head[:width], *pool_map(letters, pool.nslabs, width, MAP_ROWS)]

    def _note_rogues(self, pool: PoolState, now: float) -> None:
        for line in self._tail.lines():
            if found := ROGUE_ACCESS.match(line):
                phys, size = int(found[3], 16), int(found[4])
                if pool.contains(phys):
                    self._ages.access(phys - pool.base, size, now)


def run_screen(target: Target) -> None:
    """Show the screen until the person quits."""
    try:
        ShellScreen(target).run()
    finally:
        target.close()
