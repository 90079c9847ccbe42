# SPDX-License-Identifier: Apache-2.0
"""Python on the guest."""

from pathlib import Path

from harness.shell.answer import Answer
from harness.shell.command import Argument, Command, Needs, Takes
from harness.shell.commands.stops import debugger, outcome_answer
from harness.shell.python_prompt import PythonPrompt
from harness.shell.target import Target


def run_python(target: Target, words: list[str]) -> Answer | None:
    """A Python prompt, or a file."""
    prompt = target.part(PythonPrompt, lambda: PythonPrompt(target))
    if words:
        path = Path(words[0]).expanduser()
        outcome = debugger(target).call(f"python {path}", lambda: prompt.run(path))
        return outcome_answer(target, outcome)
    prompt.converse()
    return None


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
)
