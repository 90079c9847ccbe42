# SPDX-License-Identifier: Apache-2.0
"""The Python prompt of a session: DMA API calls, and the guest's memory."""

import code
from pathlib import Path

from harness.base.errors import InputError
from harness.devices.probe import Probe
from harness.machine.qemu.guest import Guest
from harness.observe.memory import LiveMemory, live_memory

BANNER = "'probe' and 'memory' are this guest's; harness.devices.probe has the rest. Ctrl-D"


class PythonPrompt:
    """A Python prompt; its names live until the session ends."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self._memory: LiveMemory | None = None
        self.names: dict[str, object] = {}

    def converse(self) -> None:
        """Read Python from the person until Ctrl-D."""
        self._open().interact(banner=f"{BANNER} comes back.", exitmsg="")

    def run(self, path: Path) -> None:
        """Run a file and print its errors. Raises InputError if it is not Python."""
        try:
            program = compile(path.read_text(), path, "exec")
        except (SyntaxError, UnicodeDecodeError) as fault:
            raise InputError(f"{path} is not Python: {fault}") from fault
        self._open().runcode(program)

    def close(self) -> None:
        """Close the view of the guest's memory."""
        if self._memory is not None:
            self._memory.close()

    def _open(self) -> code.InteractiveConsole:
        if self._memory is None:
            self._memory = live_memory(self._guest)
            self.names |= {"probe": Probe(self._guest.agent), "memory": self._memory}
        return code.InteractiveConsole(self.names)
