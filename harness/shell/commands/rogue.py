# SPDX-License-Identifier: Apache-2.0
"""A rogue device by hand."""

from harness.devices.rogue import rogue_kinds
from harness.shell.answer import Answer
from harness.shell.command import Argument, Command, Needs, WrongForm
from harness.shell.rogue_control import RogueControl
from harness.shell.target import Target
from harness.shell.terminal import interrupts_ignored


def drive_rogue(target: Target, words: list[str]) -> Answer:
    """Plug a rogue, and make it read and write."""
    control = target.part(RogueControl, lambda: RogueControl(target))
    with interrupts_ignored():  # an interrupted register sequence would break the next one
        text = control.drive(words)
    if text is None:
        raise WrongForm
    return Answer(text)


COMMANDS = (
    Command(
        "rogue",
        "Drive a rogue device by DMA; BYTES are hexadecimal, an MSI writes 16 bits at once. "
        f"KIND is one of {', '.join(rogue_kinds())}.",
        (
            "plug [PORT [KIND]]",
            "unplug",
            "read ADDRESS SIZE",
            "write ADDRESS BYTES",
            "msi ADDRESS VALUE",
            "master on|off",
        ),
        drive_rogue,
        ("rogue plug 0 edu", "rogue read linux_banner 32", "rogue write pool:slot0 c0ffee"),
        needs=Needs.RUNNING,
        arguments=(("plug", "unplug", "read", "write", "msi", "master"), Argument.ADDRESS),
    ),
)
