# SPDX-License-Identifier: Apache-2.0
"""``harness shell --tui``: the session on the whole screen, with the pool as a living map.

It needs Textual (the extra ``tui``), 80 columns and 24 rows, no mouse and no colour.
"""

import asyncio
import json
import signal
import threading
import time
from collections.abc import Callable
from enum import Enum
from typing import ClassVar

from rich.text import Text
from textual import work
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.widgets import ContentSwitcher, Input, RichLog, Static

from harness.base.errors import GuestError, HarnessError
from harness.machine.qemu.artifacts import ROGUE_LOG
from harness.machine.qemu.guest import Guest
from harness.observe.memory import PoolState, slots_in_use
from harness.observe.memory.names import pools_in_order
from harness.shell.answer import Answer
from harness.shell.command import EndOfSession
from harness.shell.commands import commands
from harness.shell.console_text import ConsoleText, typed_bytes
from harness.shell.device_watch import ROGUE_ACCESS, LogTail
from harness.shell.line import parse_line
from harness.shell.output import piped
from harness.shell.pool_map import LEGEND, NEW, SlotAges, directions, pool_map, slot_letters
from harness.shell.session import Session, error_text
from harness.shell.target import Target

REFRESH = 0.5
"""Seconds between two looks at the machine."""

MAP_ROWS = 5

FULL_TERMINAL = {"console", "qmp", "drgn", "gdb", "python"}
"""Commands that take the terminal when they have no words; the screen comes back after them."""


class View(Enum):
    """What is between the pool and the prompt, by the id of its widget."""

    LOG = "log-and-answers"
    CONSOLE = "console"
    MEMORY = "memory"
    QMP = "qmp"


HINTS = {
    View.LOG: "a command of the shell; 'help' lists them",
    View.CONSOLE: "a line for the guest's shell; ^C, ^D and ^Z are typed as two characters",
    View.MEMORY: "what to show, such as pool:slot0 64 or linux_banner /8gx",
    View.QMP: "a QMP command, such as query-status or qom-list path=/machine",
}

KEYS = {
    View.LOG: "F1 log and answers",
    View.CONSOLE: "F2 console",
    View.MEMORY: "F3 memory",
    View.QMP: "F4 QMP",
}

FIRST_MEMORY = "pool:slot0 128"
"""What the view of memory shows at first."""


class ShellScreen(App[None]):
    """The pool's map, one of four views of the machine, and a prompt."""

    CSS = """
    #pool { height: 8; border: solid $primary; }
    #keys { height: 1; }
    ContentSwitcher { height: 1fr; }
    #log, #answers { width: 1fr; border: solid $primary; }
    #console, #memory, #qmp { border: solid $primary; height: 1fr; }
    #prompt { height: 3; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("ctrl+q", "quit", "Quit"),
        *((f"f{number}", f"view('{view.name}')", view.name) for number, view in enumerate(View, 1)),
    ]

    def __init__(self, target: Target) -> None:
        super().__init__()
        self._session, self._target = Session(target), target
        self._view = View.LOG
        self._memory = FIRST_MEMORY
        self._memory_rows: list[str] = []
        self._changed: dict[int, float] = {}
        self._busy = threading.Lock()
        """Held by whoever reads the machine: drgn serves one thread at a time."""
        target.on_guest = self._begin
        self._begin(target.guest)

    def _begin(self, guest: Guest) -> None:
        """Look at *guest* from now on, whose console is shown from its boot on."""
        self._ages, self._tail = SlotAges(), LogTail(guest.directory / ROGUE_LOG)
        self._shown, self._told = 0, 0
        self._console = ConsoleText(guest.kernel_log())
        guest.console.tap(self._console.feed)

    def compose(self) -> ComposeResult:
        """The widgets."""
        pool = Static(id="pool", markup=False)
        pool.border_title = "pool"
        log = RichLog(id="log", wrap=True, markup=False, max_lines=1000)
        log.border_title = "kernel log"
        answers = RichLog(id="answers", wrap=True, markup=False, max_lines=5000)
        answers.border_title = "answers"
        yield pool
        yield Static(id="keys", markup=False)
        with ContentSwitcher(initial=View.LOG.value):
            with Horizontal(id=View.LOG.value):
                yield log
                yield answers
            yield Static(id=View.CONSOLE.value, markup=False)
            yield Static(id=View.MEMORY.value, markup=False)
            yield RichLog(id=View.QMP.value, wrap=True, markup=False, max_lines=5000)
        yield Input(id="prompt")

    def on_mount(self) -> None:
        """Begin to look at the machine; a kill or a closed ssh ends the screen as a key does."""
        loop = asyncio.get_running_loop()
        for one in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(one, self.exit, None, 128 + one)
        self.query_one("#prompt", Input).focus()
        self.action_view(View.LOG.name)
        self.set_interval(REFRESH, self.refresh_machine)
        self.refresh_machine()

    def action_view(self, name: str) -> None:
        """Show another view; what is typed then goes there."""
        self._view = View[name]
        self.query_one(ContentSwitcher).current = self._view.value
        self.query_one("#prompt", Input).placeholder = HINTS[self._view]
        shown = (f"[{text}]" if view is self._view else f" {text} " for view, text in KEYS.items())
        self.query_one("#keys", Static).update(" ".join([*shown, " Ctrl-Q quit"]))
        if self._view is View.CONSOLE:
            self._type(b"\n")  # the shell's prompt is long gone: ask for another
        self.refresh_machine()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Send the line that was typed to where the view says."""
        line = event.value.strip()
        event.input.clear()
        match self._view:
            case View.CONSOLE:
                self._type(typed_bytes(event.value))
            case View.MEMORY:
                self._memory = line or self._memory
                self._memory_rows, self._changed = [], {}
                self.refresh_machine()
            case View.QMP if line:
                self._tell(View.QMP.value, f"> {line}")
                self._run(f"qmp {line}", View.QMP.value)
            case View.LOG if line:
                self._tell("answers", f"> {line}")
                self._obey(line)

    def _obey(self, line: str) -> None:
        """Run a line of the shell."""
        if line in FULL_TERMINAL:
            with self._busy, self.suspend():
                self._session.obey(line)
        else:
            self._run(line, "answers")

    def _type(self, data: bytes) -> None:
        """Type into the guest's console."""
        try:
            self._target.guest.console.write(data)
        except (GuestError, HarnessError, OSError) as fault:
            self._console.feed(f"\n{error_text(fault)}\n".encode())

    def refresh_machine(self) -> None:
        """Show what is new in the logs, and pool and memory, unless a command reads them."""
        log = self._target.guest.kernel_log()
        for line in log[self._shown :]:
            self.query_one("#log", RichLog).write(line)
        self._shown = len(log)
        self._show_events()
        console = self.query_one(f"#{View.CONSOLE.value}", Static)
        console.update("\n".join(self._console.last(max(1, console.content_size.height))))
        if self._busy.acquire(blocking=False):
            try:
                self._refresh("pool", self._pool_lines)
                if self._view is View.MEMORY:
                    self._refresh(View.MEMORY.value, self._memory_lines)
            finally:
                self._busy.release()

    def _refresh(self, name: str, lines: Callable[[], list[str]]) -> None:
        """Show *lines*, or why there are none."""
        try:
            text = "\n".join(lines())
        except (GuestError, HarnessError, LookupError, OSError) as fault:
            text = error_text(fault)
        self.query_one(f"#{name}", Static).update(text)

    def _show_events(self) -> None:
        """Show QEMU's events since the last time."""
        events = self._target.guest.monitor.events
        for event in events[self._told :]:
            self._tell(
                View.QMP.value, f"event {event['event']} {json.dumps(event.get('data', {}))}"
            )
        self._told = len(events)

    @work(thread=True, group="commands")
    def _run(self, text: str, where: str) -> None:
        """Run a line on a thread of its own, so that the screen lives on.

        *where* is the id of the log that gets the answer.
        """
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
        self.call_from_thread(self._tell, where, "\n".join([said, *news]).strip())

    def _tell(self, where: str, text: str) -> None:
        """Add *text* to a log; what a person typed is bold."""
        if text:
            style = "bold" if text.startswith("> ") else ""
            self.query_one(f"#{where}", RichLog).write(Text(text, style=style))

    def _memory_lines(self) -> list[str]:
        """What lies at the address that was typed; ``*`` marks what has changed just now."""
        answer = self._session.answer(parse_line(f"memory {self._memory}", commands()))
        rows, now = (answer or Answer()).text.splitlines(), time.monotonic()
        pairs = enumerate(zip(self._memory_rows, rows, strict=False))
        self._changed |= {at: now for at, (old, new) in pairs if old != new}
        self._memory_rows = rows
        recent = {at for at, when in self._changed.items() if now - when < NEW}
        return [self._memory, *(f"{'*' if at in recent else ' '}{r}" for at, r in enumerate(rows))]

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
