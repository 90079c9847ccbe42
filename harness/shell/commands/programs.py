# SPDX-License-Identifier: Apache-2.0
"""Python on the guest."""

from pathlib import Path

from harness.shell.command import Argument, Command, Needs, Takes
from harness.shell.python_prompt import PythonPrompt
from harness.shell.target import Target


def run_python(target: Target, words: list[str]) -> None:
    """A Python prompt, or a file."""
    prompt = target.part(PythonPrompt, lambda: PythonPrompt(target))
    if words:
        prompt.run(Path(words[0]).expanduser())
    else:
        prompt.converse()


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
