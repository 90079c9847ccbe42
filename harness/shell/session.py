# SPDX-License-Identifier: Apache-2.0
"""The commands of ``harness shell``; each one is a line of its own.

A command's docstring is its help: a sentence, then the forms it has.
"""

import cmd
import inspect
import sys
from pathlib import Path

from harness.base.errors import GuestError, HarnessError, InputError
from harness.base.outcome import Ending, Outcome
from harness.machine.qemu.artifacts import keep, reopen_command, save
from harness.machine.qemu.guest import Guest
from harness.observe.memory import live_memory
from harness.shell.python import PythonPrompt
from harness.shell.rogue import RogueControl
from harness.shell.terminal import attach, interrupts_ignored, run_program
from harness.shell.words import LARGEST, hex_dump, parse_range, parse_words

INTRO = "The guest runs. 'help' lists the commands, 'quit' discards the machine."

COMMAND_TIMEOUT = 60.0
"""Seconds that a command run through the agent may take."""


class Session(cmd.Cmd):
    """Reads commands from a person until ``quit``; the guest runs all the while."""

    prompt = "harness> "

    def __init__(self, guest: Guest) -> None:
        super().__init__()
        self._guest = guest
        self._rogue = RogueControl(guest)
        self._python = PythonPrompt(guest)
        self._at_prompt = True

    def converse(self) -> None:
        """Read and run commands until ``quit``; Ctrl-C only cancels the current line."""
        self._guest.watch.at_end(self._tell_end)
        intro = INTRO
        while True:
            try:
                return self.cmdloop(intro)
            except KeyboardInterrupt:
                print()
                intro = ""

    def onecmd(self, line: str) -> bool:
        """Run one command; print its error, if any, and continue."""
        lived = self._guest.ending is None
        self._at_prompt = False
        stop = self._obey("quit" if line == "EOF" else line)
        self._at_prompt = True
        if lived and self._guest.ending is not None and not stop:
            print(_end_text(self._guest))
        return stop

    def emptyline(self) -> bool:
        """An empty line does nothing."""
        return False

    def default(self, line: str) -> None:
        """Refuse an unknown command."""
        name = line.partition(" ")[0]
        raise InputError(f"unknown command {name!r}: 'help' lists the commands")

    def do_help(self, arg: str) -> None:
        """Print the help of one command, or of all.

        help [COMMAND]
        """
        names = [arg] if arg else [name[3:] for name in self.get_names() if name[:3] == "do_"]
        for name in names:
            if not hasattr(self, f"do_{name}"):
                self.default(name)
            summary, forms = self._help(name)
            print(f"{forms}\n    {summary}")

    def do_console(self, _: str) -> None:
        """Go to the guest's own shell; Ctrl-] leaves it.

        console
        """
        self._need_running()
        print("Ctrl-] leaves the console.")
        attach(self._guest)
        print()

    def do_qmp(self, _: str) -> None:
        """Go to QEMU's own QMP shell, on a socket of its own; Ctrl-D leaves it.

        qmp
        """
        ending = self._guest.ending
        if ending is not None and ending.outcome is Outcome.QEMU_DIED:
            raise ending.error()
        socket = str(self._guest.person_socket)
        run_program([sys.executable, "-m", "qemu.qmp.qmp_shell", socket])

    def do_run(self, line: str) -> None:
        """Run a shell command in the guest, through the agent and not the console.

        run COMMAND...
        """
        if not line:
            raise self._usage("run")
        self._need_running()
        ran = self._guest.agent.run(line, timeout=COMMAND_TIMEOUT)
        print(ran.text, end="")
        cut = f", killed after {COMMAND_TIMEOUT:g} s" if ran.timed_out else ""
        print(f"[exit status {ran.status}{cut}]")

    def do_rogue(self, line: str) -> None:
        """Drive a rogue device by DMA; BYTES are hexadecimal, an MSI writes 16 bits at once.

        rogue plug [PORT [KIND]]
        rogue unplug
        rogue read ADDRESS SIZE
        rogue write ADDRESS BYTES
        rogue msi ADDRESS VALUE
        rogue master on|off
        """
        words = parse_words(line)
        self._need_running()
        with interrupts_ignored():  # an interrupted register sequence would break the next one
            if not self._rogue.drive(words):
                raise self._usage("rogue")

    def do_python(self, line: str) -> None:
        """Make DMA API calls in Python, from a file if one is given.

        python [FILE]
        """
        self._need_running()
        if line:
            self._python.run(Path(line).expanduser())
        else:
            self._python.converse()

    def do_memory(self, line: str) -> None:
        """Show guest-physical memory, 64 bytes without SIZE.

        memory ADDRESS [SIZE]
        """
        match line.split():
            case [address, *size] if len(size) <= 1:
                first, count = parse_range(address, *size or ["64"], largest=LARGEST)
            case _:
                raise self._usage("memory")
        with live_memory(self._guest) as memory:
            print(hex_dump(first, memory.read(first, count)))

    def do_pools(self, _: str) -> None:
        """List the restricted pools of this machine.

        pools
        """
        devicetree = self._guest.machine.devicetree
        for pool in devicetree.pools:
            print(f"{pool}  used by {', '.join(pool.users) or 'no device'}")
        for asked in devicetree.dynamic:
            print(f"{asked.name}, {asked.size:#x} bytes placed by the kernel ('log' shows where)")
        if not devicetree.pools and not devicetree.dynamic:
            print("none")

    def do_log(self, _: str) -> None:
        """Show the kernel's log since the boot.

        log
        """
        print("\n".join(self._guest.kernel_log()))

    def do_info(self, _: str) -> None:
        """List the process, sockets and files of this machine.

        info
        """
        state = self._guest.ending or ("running" if self._is_running() else "stopped")
        print(f"state          {state}")
        print(f"QEMU process   {self._guest.process.pid}")
        print(f"run directory  {self._guest.directory}")
        print(f"QMP socket     {self._guest.person_socket}")
        print(f"vmlinux        {self._guest.machine.kernel.vmlinux}")

    def do_save(self, line: str) -> None:
        """Keep logs, devicetree and an ELF dump in a directory, then go on.

        save [DIRECTORY]
        """
        running = self._is_running()
        if line:
            directory = Path(line).expanduser()
            directory.mkdir(parents=True, exist_ok=True)
            save(self._guest, directory)
        else:
            directory = keep(self._guest, "shell")
        if running:
            self._guest.resume()
        print(reopen_command(directory.resolve()))
        print(directory.resolve())

    def do_quit(self, _: str) -> bool:
        """Discard the machine, like Ctrl-D.

        quit
        """
        print()
        self._python.close()
        return True

    def _obey(self, line: str) -> bool:
        try:
            return super().onecmd(line)
        except (HarnessError, GuestError, OSError) as error:
            print(f"error: {error}")
        except KeyboardInterrupt:
            print("\ninterrupted; the command may still run in the guest")
        return False

    def _is_running(self) -> bool:
        """Whether the virtual CPUs run."""
        if self._guest.ending is not None:
            return False
        return bool(self._guest.monitor.execute("query-status")["running"])

    def _need_running(self) -> None:
        """Raise unless the guest runs."""
        if self._guest.ending is not None:
            raise self._guest.ending.error()
        if not self._is_running():
            raise InputError("the machine is stopped: 'cont' in 'qmp' resumes it")

    def _help(self, name: str) -> tuple[str, str]:
        """The sentence and the forms of a command."""
        summary, _, forms = (inspect.getdoc(getattr(self, f"do_{name}")) or "").partition("\n\n")
        return summary, forms

    def _usage(self, name: str) -> InputError:
        return InputError(f"expected:\n{self._help(name)[1]}")

    def _tell_end(self, _: Ending) -> None:
        """Print at once that the guest has ended; runs in the event loop's thread."""
        if self._at_prompt:
            print(f"\n{_end_text(self._guest)}\n{self.prompt}", end="", flush=True)


def _end_text(guest: Guest) -> str:
    """How the guest ended, and which commands still work."""
    ending = guest.ending
    if ending is not None and ending.outcome is Outcome.QEMU_DIED:
        left = "'log', 'info' and 'save'"
    else:
        left = "'memory', 'qmp', 'log', 'info' and 'save'"
    return f"The guest has ended: {ending}. Still available: {left}; 'quit' discards the machine."
