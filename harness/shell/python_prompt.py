# SPDX-License-Identifier: Apache-2.0
"""The Python prompt of a session: DMA API calls, and the guest's memory."""

import code
from pathlib import Path

from harness.base.errors import InputError
from harness.shell.target import Target

BANNER = (
    "'probe', 'memory' and 'types' are this guest's; harness.devices.probe has the rest. Ctrl-D"
)


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
        console = code.InteractiveConsole(self.names)
        console.interact(banner=f"{BANNER} comes back.", exitmsg="")

    def run(self, path: Path) -> None:
        """Run a file and print its errors. Raises InputError if it is not Python."""
        try:
            program = compile(path.read_text(), path, "exec")
        except (SyntaxError, ValueError) as fault:
            raise InputError(f"{path} is not Python: {fault}") from fault
        code.InteractiveConsole(self.names).runcode(program)
