# SPDX-License-Identifier: Apache-2.0
"""``help``, from the descriptions of the commands."""

from harness.observe.memory.names import unknown
from harness.shell.answer import Answer
from harness.shell.command import Argument, Command, Needs, WrongForm
from harness.shell.commands import commands
from harness.shell.target import Target

ADVICE = """\
ADDRESS is a number, a symbol (linux_banner), a pool or a slot (pool:slot14), what the probe holds
(mapping:0, buffer:0), a register ($pc), *ADDRESS, or a sum of them (swiotlb_bounce+0x20).
Most commands take --json, and a pipe: slots | wc -l. 'help COMMAND' shows examples."""


def show_help(_: Target, words: list[str]) -> Answer:
    """The help of one command with examples, or of all."""
    match words:
        case []:
            parts = [command.help(whole=False) for command in commands().values()]
            text = "\n".join([*parts, "", ADVICE])
            return Answer(text, {name: one.summary for name, one in commands().items()})
        case [name] if name in commands():
            return Answer(commands()[name].help(whole=True))
        case [name]:
            raise unknown("command", name, commands())
        case _:
            raise WrongForm


COMMANDS = (
    Command(
        "help",
        "Show the help of one command with examples, or of all.",
        ("[COMMAND]",),
        show_help,
        ("help slots",),
        needs=Needs.NOTHING,
        arguments=(Argument.COMMAND,),
    ),
)
