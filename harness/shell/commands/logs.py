# SPDX-License-Identifier: Apache-2.0
"""The kernel's log, and its trace events."""

import re
from collections.abc import Callable

from harness.base.errors import AgentError, InputError
from harness.shell.answer import Answer
from harness.shell.command import Command, Needs, WrongForm
from harness.shell.target import Target

FOLLOW = "-f"

INTERVAL = 0.2
"""Seconds between two looks for something new: reading the trace tells nobody that it grew."""

TRACING = "/sys/kernel/tracing"
"""Mounted by the agent's start script (Documentation/trace/ftrace.rst)."""

_EVENT = re.compile(r"\w+(?::\w+)?")


def show_log(target: Target, words: list[str]) -> Answer | None:
    """The kernel's log since the boot, or what comes from now on."""
    match words:
        case []:
            return Answer("\n".join(target.guest.kernel_log()))
        case ["-f"]:
            seen = len(target.guest.kernel_log()) - 1
            _follow(target, lambda: list(target.guest.kernel_log()), max(0, seen))
        case _:
            raise WrongForm
    return None


def trace(target: Target, words: list[str]) -> Answer | None:
    """Switch trace events on and off, and show what they recorded."""
    match words:
        case []:
            return Answer("\n".join(_events(target)) or "no event")
        case ["-f"]:
            _follow(target, lambda: _events(target), len(_events(target)))
        case ["on", names]:
            for name in names.split(","):
                _enable(target, name, on=True)
            return Answer("recording; 'trace' shows the events, 'trace -f' follows them")
        case ["off"]:
            target.guest.agent.write_file(f"{TRACING}/events/enable", b"0")
            return Answer("")
        case ["clear"]:
            target.guest.agent.write_file(f"{TRACING}/trace", b"\n")
            return Answer("")
        case _:
            raise WrongForm
    return None


def _enable(target: Target, name: str, *, on: bool) -> None:
    if not _EVENT.fullmatch(name):
        raise InputError(f"{name!r} is no trace event: expected a group or group:event")
    path = f"{TRACING}/events/{name.replace(':', '/')}/enable"
    try:
        target.guest.agent.write_file(path, b"1" if on else b"0")
    except AgentError as fault:
        groups = target.guest.agent.run(f"ls {TRACING}/events").text.split()
        raise InputError(
            f"this kernel has no trace events {name!r}; it has {', '.join(groups) or 'none'}"
        ) from fault


def _events(target: Target) -> list[str]:
    text = target.guest.agent.read_file(f"{TRACING}/trace").decode(errors="replace")
    return [line.strip() for line in text.splitlines() if line and not line.startswith("#")]


def _follow(target: Target, read: Callable[[], list[str]], seen: int) -> None:
    """Print what *read* has beyond *seen* lines, until Ctrl-C or the guest's end."""
    print("Ctrl-C ends it.")
    try:
        while target.guest.ending is None:
            lines = read()
            for line in lines[min(seen, len(lines)) :]:
                print(line, flush=True)
            seen = len(lines)
            target.guest.watch.sleep(INTERVAL)
    except KeyboardInterrupt:
        print()


COMMANDS = (
    Command(
        "log",
        "Show the kernel's log since the boot; -f shows what comes, until Ctrl-C.",
        ("", "-f"),
        show_log,
        ("log | tail", "log -f"),
        arguments=((FOLLOW,),),
    ),
    Command(
        "trace",
        "Record trace events of the kernel, such as the groups swiotlb and dma, and show them.",
        ("", "-f", "on GROUP[:EVENT][,...]", "off", "clear"),
        trace,
        ("trace on swiotlb,dma", "trace", "trace on swiotlb:swiotlb_bounced", "trace off"),
        needs=Needs.RUNNING,
        arguments=(("on", "off", "clear", FOLLOW), ("swiotlb", "dma")),
    ),
)
