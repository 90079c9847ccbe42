# SPDX-License-Identifier: Apache-2.0
"""Other programs on this machine: Python, drgn, gdb, a file of commands."""

import shlex
from pathlib import Path
from typing import Any

import drgn.cli

from harness.base.errors import InputError
from harness.shell import drgn_swiotlb
from harness.shell.answer import Answer
from harness.shell.attaching import gdb_command
from harness.shell.command import Argument, Command, EndOfSession, Needs, Takes, WrongForm
from harness.shell.commands.stops import debugger, outcome_answer
from harness.shell.python_prompt import PythonPrompt
from harness.shell.recording import Playback, open_recording
from harness.shell.target import Target
from harness.shell.terminal import interrupts_for_the_program, run_program

DEEPEST = 8
"""Scripts within scripts."""


def run_python(target: Target, words: list[str]) -> Answer | None:
    """A Python prompt, or a file."""
    prompt = target.part(PythonPrompt, lambda: PythonPrompt(target))
    if words:
        path = Path(words[0]).expanduser()
        outcome = debugger(target).call(f"python {path}", lambda: prompt.run(path))
        return outcome_answer(target, outcome)
    prompt.converse()
    return None


def open_drgn(target: Target, words: list[str]) -> None:
    """drgn's own prompt on this memory, with the helpers of ``drgn_swiotlb.py``."""
    if words:
        raise WrongForm
    program = target.program

    def names(usual: dict[str, Any]) -> dict[str, Any]:
        return usual | {name: getattr(drgn_swiotlb, name) for name in drgn_swiotlb.__all__}

    def banner(usual: str) -> str:
        return f"{usual}\n>>> from drgn_swiotlb import *\nCtrl-D comes back."

    with target.readline_of_its_own():
        drgn.cli.run_interactive(program, banner_func=banner, globals_func=names)


def open_gdb(target: Target, words: list[str]) -> Answer | None:
    """gdb with vmlinux and the probe's symbols; the machine goes on when it ends."""
    if words not in ([], ["--print"]):
        raise WrongForm
    command = gdb_command(target)
    if words:
        return Answer(shlex.join(command))
    debugger(target).require_idle()
    debugger(target).close()
    running = target.is_running()
    playback = target.parts.get(Playback)
    if isinstance(playback, Playback):
        return _open_gdb_on(target, playback, command)
    with interrupts_for_the_program():
        run_program(command)
    if running and target.guest.ending is None and not target.is_running():
        target.guest.resume()
    return None


def _open_gdb_on(target: Target, playback: Playback, command: list[str]) -> Answer | None:
    """gdb on a recording, which is opened anew if gdb has let it run out."""
    before = playback.icount
    playback.stop_at(playback.end)
    with interrupts_for_the_program():
        run_program(command)
    if not playback.is_over:
        target.guest.pause()
        return None
    guest, again = open_recording(playback.recording)
    target.replace(guest)
    target.part(Playback, lambda: again).seek(before)
    return Answer("the recording ran out; the machine stands where it stood before gdb")


def run_script(target: Target, words: list[str]) -> None:
    """Run the commands in a file, a line each."""
    if len(words) != 1:
        raise WrongForm
    path = Path(words[0]).expanduser()
    try:
        lines = path.read_text().splitlines()
    except UnicodeDecodeError as fault:
        raise InputError(f"{path} is no file of commands: {fault}") from fault
    if target.depth >= DEEPEST:
        raise InputError(f"{path}: scripts call each other more than {DEEPEST} deep")
    target.depth += 1
    try:
        for line in lines:
            print(f"# {line}")
            if not target.obey(line):
                raise EndOfSession
    finally:
        target.depth -= 1


COMMANDS = (
    Command(
        "python",
        "Make DMA API calls in Python, from a file if one is given.",
        ("[FILE]",),
        run_python,
        ("python", "python ~/script.py"),
        needs=Needs.RUNNING,
        arguments=(Argument.FILE,),
        takes=Takes.LINE,
    ),
    Command(
        "drgn",
        "Go to drgn's prompt on this memory, with helpers for swiotlb (harness/shell/"
        "drgn_swiotlb.py); Ctrl-D comes back.",
        ("",),
        open_drgn,
        ("drgn",),
    ),
    Command(
        "gdb",
        "Go to gdb with vmlinux and the probe's symbols, or --print the command for another "
        "terminal; breakpoints of this session are removed.",
        ("", "--print"),
        open_gdb,
        ("gdb",),
        needs=Needs.QEMU,
    ),
    Command(
        "script",
        "Run the commands in a file, a line each.",
        ("FILE",),
        run_script,
        ("script ~/commands.txt",),
        needs=Needs.NOTHING,
        arguments=(Argument.FILE,),
    ),
)
