# SPDX-License-Identifier: Apache-2.0
"""The session from a script or a notebook: start a machine, ask for data, resolve names.

Each command of the shell is a call that returns its data (what ``--json`` prints)::

    from harness.shell import api

    with api.start() as session:
        print(session.ask("pools")[0]["used"])
        print(session.where("swiotlb_bounce+0x20"))

==================  ==========================================================================
``start``           start a machine, or one by its description
``debug``           start the machine of a failure; its calls are in ``session.replay``
``open_dump``       a dump with its vmlinux
``NotebookSession``  ``ask`` a command, ``address`` and ``where`` of a name, ``search``; also
                    ``guest``, ``memory``, ``types``, ``probe`` and drgn's ``program``
==================  ==========================================================================
"""

from pathlib import Path
from types import TracebackType
from typing import Any, Self

import drgn

from harness.devices.probe import Probe
from harness.kernel import KernelSpec, build_initramfs, build_kernel, default_fragments
from harness.kernel.spec import DEFAULT_SOURCE
from harness.machine.binary import find_qemu
from harness.machine.description import load_machine
from harness.machine.machine import DEFAULT_RAM, Machine
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.rundir import sweep
from harness.machine.qemu.snapshot import park, restore
from harness.machine.shape import DEFAULT_SHAPE, shaped_devicetree
from harness.observe.memory import KernelTypes, Memory
from harness.shell.commands import commands
from harness.shell.line import parse_line
from harness.shell.replay import Replay, read_replay
from harness.shell.session import Session
from harness.shell.target import Target, dump_target, live_target

__all__ = ["NotebookSession", "debug", "open_dump", "start"]


class NotebookSession:
    """A session without a terminal; as a context manager, it discards its machine at the end."""

    def __init__(self, target: Target, guest: Guest | None = None) -> None:
        self._target, self._first = target, guest
        self._session = Session(target)

    def ask(self, line: str) -> Any:
        """Run a command as typed and return its data; lines of text for one without data.

        Raises what the shell would print: HarnessError, or the guest's ending.
        """
        answer = self._session.answer(parse_line(line, commands()))
        if answer is None:
            return None
        return answer.text.splitlines() if answer.data is None else answer.data

    def address(self, name: str) -> int:
        """The address that *name* stands for, as in the shell (``pool:slot14``)."""
        return self._target.resolver.address(name)

    def where(self, name: str | int) -> str | None:
        """What an address is, by number or by name; None if nothing is known."""
        address = name if isinstance(name, int) else self.address(name)
        return self._target.places.describe(address)

    @property
    def guest(self) -> Guest:
        """The guest; raises InputError for a dump."""
        return self._target.guest

    @property
    def memory(self) -> Memory:
        """The RAM, by guest-physical address."""
        return self._target.memory

    @property
    def types(self) -> KernelTypes:
        """The kernel's structures."""
        return self._target.types

    @property
    def program(self) -> drgn.Program:
        """The drgn program; ``harness.shell.drgn_swiotlb`` has helpers for it."""
        return self._target.program

    @property
    def probe(self) -> Probe:
        """DMA API calls in the guest."""
        return self._target.probe

    @property
    def replay(self) -> Replay:
        """The calls of the failed test; raises KeyError outside :func:`debug`."""
        replay: Replay = self._target.parts[Replay]
        return replay

    def close(self) -> None:
        """Discard the machine."""
        self._target.close()
        if self._first is not None:
            self._first.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def start(machine: Machine | None = None, *, shape: str = DEFAULT_SHAPE) -> NotebookSession:
    """Start *machine*, or the default kernel's with the overlay *shape* of dts/.

    The first time builds the kernel, 7 to 10 minutes on two cores. Raises HarnessError.
    """
    sweep()
    guest = restore(park(_default_machine(shape) if machine is None else machine))
    return NotebookSession(live_target(guest), guest)


def debug(directory: str | Path) -> NotebookSession:
    """Start the machine of the failure in *directory*; no call is made yet.

    Raises InputError when that is no failure, or its kernel is gone.
    """
    place = Path(directory)
    session = start(load_machine(place))
    session._target.part(Replay, lambda: read_replay(session._target, place))
    return session


def open_dump(dump: str | Path, vmlinux: str | Path) -> NotebookSession:
    """Open an ELF dump; raises InputError if it is none."""
    return NotebookSession(dump_target(Path(dump), Path(vmlinux)))


def _default_machine(shape: str) -> Machine:
    qemu = find_qemu()
    spec = KernelSpec(DEFAULT_SOURCE, (), default_fragments())
    kernel = build_kernel(spec)
    tree = shaped_devicetree(qemu, shape, ram_size=DEFAULT_RAM)
    return Machine(qemu, kernel, build_initramfs(kernel, spec), tree)
