# SPDX-License-Identifier: Apache-2.0
"""The commands of ``harness shell``; each one is a line of its own."""

import cmd
import shlex
import subprocess
import sys
from pathlib import Path

from harness.errors import GuestError, HarnessError, InputError
from harness.memory import live_memory
from harness.rogue import EduRogue
from harness.shell.terminal import attach
from harness.vm.artefacts import failures_directory, save
from harness.vm.guest import Guest

COMMAND_TIMEOUT = 60.0
"""Seconds that a command run through the agent may take."""


class Session(cmd.Cmd):
    """Reads commands from a person until ``quit``; the guest runs all the while."""

    prompt = "harness> "
    intro = "The guest runs. 'help' lists the commands, 'quit' throws the machine away."

    def __init__(self, guest: Guest) -> None:
        super().__init__()
        self._guest = guest
        self._rogue: EduRogue | None = None

    def onecmd(self, line: str) -> bool:
        """Run one command; what goes wrong is told, and the session goes on."""
        try:
            return super().onecmd(line)
        except (HarnessError, GuestError, ValueError) as error:
            print(f"error: {error}")
            return False

    def emptyline(self) -> bool:
        """An empty line does nothing."""
        return False

    def do_console(self, _: str) -> None:
        """Go to the guest's own shell; Ctrl-] leaves it: console."""
        attach(self._guest)
        print()

    def do_qmp(self, _: str) -> None:
        """Go to QEMU's QMP shell, on a socket of its own; Ctrl-D leaves it: qmp."""
        socket = str(self._guest.person_socket)
        subprocess.run([sys.executable, "-m", "qemu.qmp.qmp_shell", socket], check=False)

    def do_run(self, line: str) -> None:
        """Run a command in the guest through the agent: run COMMAND..."""
        if not line:
            raise InputError(f"usage: {self.do_run.__doc__}")
        ran = self._guest.agent.run(line, timeout=COMMAND_TIMEOUT)
        print(ran.text, end="")
        print(f"[exit status {ran.status}]")

    def do_rogue(self, line: str) -> None:
        """Drive the rogue device.

        rogue plug [PORT] | read ADDRESS SIZE | write ADDRESS HEX | msi ADDRESS VALUE
        | master on|off
        """
        match shlex.split(line):
            case ["plug"]:
                self._plug(0)
            case ["plug", port]:
                self._plug(int(port))
            case ["read", address, size]:
                _show(int(address, 0), self._plugged().read(int(address, 0), int(size, 0)))
            case ["write", address, data]:
                self._plugged().write(int(address, 0), bytes.fromhex(data))
            case ["msi", address, value]:
                self._plugged().forge_msi(int(address, 0), int(value, 0))
            case ["master", ("on" | "off") as state]:
                self._plugged().set_bus_master(state == "on")
            case _:
                raise InputError(f"usage: {self.do_rogue.__doc__}")

    def do_memory(self, line: str) -> None:
        """Show guest-physical memory as it is now, 64 bytes if not said: memory ADDRESS [SIZE]."""
        match line.split():
            case [address]:
                size = "64"
            case [address, size]:
                pass
            case _:
                raise InputError(f"usage: {self.do_memory.__doc__}")
        with live_memory(self._guest) as memory:
            _show(int(address, 0), memory.read(int(address, 0), int(size, 0)))

    def do_pools(self, _: str) -> None:
        """List the restricted pools of this machine: pools."""
        for pool in self._guest.machine.devicetree.pools:
            print(f"{pool}  used by {', '.join(pool.users) or 'nobody'}")

    def do_log(self, _: str) -> None:
        """Show the kernel's log since the boot: log."""
        print("\n".join(self._guest.kernel_log()))

    def do_info(self, _: str) -> None:
        """List the process, sockets and files of this machine: info."""
        print(f"QEMU process   {self._guest.process.pid}")
        print(f"run directory  {self._guest.directory}")
        print(f"QMP socket     {self._guest.person_socket}")
        print(f"vmlinux        {self._guest.machine.kernel.vmlinux}")
        print(f"state          {self._guest.ending or 'running'}")

    def do_save(self, line: str) -> None:
        """Keep logs, devicetree and an ELF dump, then go on: save [DIRECTORY]."""
        directory = Path(line) if line else failures_directory("shell")
        directory.mkdir(parents=True, exist_ok=True)
        save(self._guest, directory)
        self._guest.resume()
        print(directory)

    def do_quit(self, _: str) -> bool:
        """Throw the machine away: quit."""
        return True

    def do_EOF(self, _: str) -> bool:  # noqa: N802 - cmd.Cmd names it so
        """Do as quit does, for Ctrl-D."""
        print()
        return True

    def _plug(self, port: int) -> None:
        self._rogue = EduRogue(self._guest, port)
        print(f"{self._rogue.name} is {self._rogue.bdf}")

    def _plugged(self) -> EduRogue:
        if self._rogue is None:
            self._plug(0)
        assert self._rogue is not None
        return self._rogue


def _show(address: int, data: bytes) -> None:
    for offset in range(0, len(data), 16):
        row = data[offset : offset + 16]
        text = "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)
        print(f"{address + offset:012x}  {row.hex(' '):47}  {text}")
