# SPDX-License-Identifier: Apache-2.0
"""The Python prompt of a session: DMA API calls, and the guest's memory."""

import code
import sys
import traceback
from pathlib import Path

from harness.base.errors import GuestError, HarnessError, InputError
from harness.shell.target import Target

BANNER = (
    "'probe', 'memory' and 'types' are this guest's; harness.devices.probe has the rest. Ctrl-D"
)


class _Console(code.InteractiveConsole):
    """A console in which an error of the harness or the guest is a sentence with its line."""

    def showtraceback(self) -> None:
        """Show the exception that is being handled."""
        fault = sys.exc_info()[1]
        if not isinstance(fault, HarnessError | GuestError):
            super().showtraceback()
            return
        own = traceback.extract_tb(fault.__traceback__)[1]
        self.write(f"error: {fault} ({Path(own.filename).name}:{own.lineno})\n")


class PythonPrompt:
    """A Python prompt; its names live until the session ends."""

    def __init__(self, target: Target) -> None:
        self.names: dict[str, object] = {
            "probe": target.probe,
            "memory": target.memory,
            "types": target.types,
            "guest": target.guest,
        }

    def converse(self) -> None:
        """Read Python from the person until Ctrl-D."""
        console = _Console(self.names)
        console.interact(banner=f"{BANNER} comes back.", exitmsg="")

    def run(self, path: Path) -> None:
        """Run a file and print its errors. Raises InputError if it is not Python."""
        try:
            program = compile(path.read_text(), path, "exec")
        except (SyntaxError, ValueError) as fault:
            raise InputError(f"{path} is not Python: {fault}") from fault
        _Console(self.names).runcode(program)
