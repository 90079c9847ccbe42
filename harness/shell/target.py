# SPDX-License-Identifier: Apache-2.0
"""Target: the machine that the commands work on, a running guest or a dump."""

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar, cast

import drgn

from harness.base.errors import HarnessError, InputError
from harness.base.outcome import Outcome
from harness.devices.probe import Probe
from harness.machine.qemu.guest import Guest
from harness.observe.memory import ElfDump, KernelTypes, KnownTypes, Memory, Symbols, live_memory
from harness.observe.memory.names import Namer, PoolNames, Resolver, SymbolNames
from harness.observe.memory.places import Places
from harness.shell.command import Needs
from harness.shell.namers import HeldNames, ModuleNames, RegisterNames, registers

T = TypeVar("T")


class Target:
    """A guest, or a dump with its ``vmlinux``, and what has been found out about it.

    The kernel's types are read at the first use, 0.4 s, and kept. *cpu* is the one that stopped
    last. *notices* return lines for the person after each command; *on_guest* is called with each
    guest that takes the place of the first. *obey* runs a line as the session does, at *depth* of
    scripts; *readline_of_its_own* is for programs that use readline too.
    """

    def __init__(
        self, guest: Guest | None, memory: Memory | None, vmlinux: Path, what: str = "a guest"
    ) -> None:
        self.vmlinux = vmlinux
        self.what = what
        self.shared_console: Path | None = None
        """The socket of the console of a machine that another session has started."""
        self.depth = 0
        self.obey: Callable[[str], bool] = lambda _: True
        self.readline_of_its_own: Callable[[], AbstractContextManager[None]] = nullcontext
        self.parts: dict[type, Any] = {}
        self.cpu = 0
        self.notices: list[Callable[[], list[str]]] = []
        self.on_guest: Callable[[Guest], None] = lambda _: None
        self.known_types = KnownTypes()
        self._guest = guest
        self._own_guest = False
        self._knows_modules = False
        self._memory = memory
        self._types: KernelTypes | None = None
        self._probe: Probe | None = None

    @property
    def guest(self) -> Guest:
        """The guest; raises InputError if the target is a dump."""
        if self._guest is None:
            raise InputError(f"{self.what} has no machine to control: this command needs a guest")
        return self._guest

    @property
    def is_dump(self) -> bool:
        """Whether the target is a dump."""
        return self._guest is None

    @property
    def memory(self) -> Memory:
        """The RAM."""
        if self._memory is None:
            self._memory = live_memory(self.guest)
        return self._memory

    @property
    def types(self) -> KernelTypes:
        """The kernel's structures; raises AddressError before it has set them up."""
        if self._types is None:
            if self._guest is None:
                self._types = KernelTypes(self.memory, Symbols(self.vmlinux))
            else:
                self._types = self.known_types.on(self._guest.machine.kernel, self.memory)
        return self._types

    def read_types(self) -> KernelTypes:
        """:attr:`types`, for what may not need them."""
        return self.types

    @property
    def probe(self) -> Probe:
        """The probe of a running guest."""
        if self._probe is None:
            self._probe = Probe(self.guest.agent)
            self._probe.adopt()
        return self._probe

    @property
    def resolver(self) -> Resolver:
        """What turns words into addresses."""
        namers: list[Namer] = [PoolNames(self.read_types)]
        if self._guest is not None:
            namers += [RegisterNames(self), HeldNames(self)]
        names = [*namers, SymbolNames(self.read_types), ModuleNames(self)]
        return Resolver(self.read_types, names)

    @property
    def places(self) -> Places:
        """What says what an address is; it reads pools and page tables at its first use."""
        return Places(self._guest, self.types)

    @property
    def program(self) -> drgn.Program:
        """The drgn program, which knows the probe's module too, at its load address."""
        program = self.types.program
        if self._guest is not None and not self._knows_modules:
            self._knows_modules = True
            with contextlib.suppress(drgn.MissingDebugInfoError, OSError):
                program.load_debug_info([self._guest.machine.initramfs.probe])
        return program

    def symbol_at(self, address: int) -> tuple[str, int] | None:
        """The symbol of a virtual address, and the offset from it; None outside all symbols."""
        try:
            symbol = self.program.symbol(address)
        except (LookupError, HarnessError):
            return None
        return symbol.name, address - symbol.address

    def size_at(self, address: int) -> int:
        """How many bytes of its symbol follow a virtual address; 0 outside all symbols."""
        try:
            symbol = self.program.symbol(address)
        except (LookupError, HarnessError):
            return 0
        return int(symbol.address + symbol.size - address)

    def registers(self, cpu: int) -> dict[str, int]:
        """The general registers, ``sp`` and ``pc`` of a CPU."""
        return registers(self.guest.monitor.hmp("info registers", cpu))

    def replace(self, guest: Guest) -> None:
        """Work on *guest* from now on, which :meth:`close` closes, and discard the one before."""
        self._close_parts(lasting=False)
        if self._memory is not None:
            self._memory.close()
        self.guest.close()
        self._guest, self._own_guest, self._memory, self._probe = guest, True, None, None
        self.cpu, self.notices = 0, []
        if self._types is not None:
            self._types.move_to(self.memory)
        self.on_guest(guest)

    def part(self, kind: type[T], make: Callable[[], T]) -> T:
        """The session's own *kind*, made at the first use; it ends with the guest.

        One with a true ``lasting`` ends with the session.
        """
        if kind not in self.parts:
            self.parts[kind] = make()
        return cast(T, self.parts[kind])

    def is_running(self) -> bool:
        """Whether the virtual CPUs run."""
        if self._guest is None or self._guest.ending is not None:
            return False
        return bool(self._guest.monitor.execute("query-status")["running"])

    def require(self, needs: Needs) -> None:
        """Raise if the target lacks what a command *needs*: InputError, or the guest's ending."""
        if needs in (Needs.NOTHING, Needs.MEMORY):
            return
        ending = self.guest.ending
        if ending is not None and (needs is Needs.RUNNING or ending.outcome is Outcome.QEMU_DIED):
            raise ending.error()
        if needs is Needs.RUNNING and self.guest.machine.recorded:
            raise InputError(
                "this machine plays a recording and takes no input: 'next', 'continue', "
                "'reverse-step', 'reverse-continue' and 'gdb' move in it"
            )
        if needs is Needs.RUNNING and not self.is_running():
            raise InputError("the machine is stopped: 'continue' resumes it")

    def close(self) -> None:
        """Close the view of the memory, the parts of the session, and a guest of its own."""
        self._close_parts(lasting=True)
        if self._memory is not None:
            self._memory.close()
        if self._own_guest and self._guest is not None:
            self._guest.close()

    def _close_parts(self, *, lasting: bool) -> None:
        """Close the parts that belong to the guest; with *lasting*, all."""
        for kind in list(self.parts):
            if lasting or not getattr(kind, "lasting", False):
                part = self.parts.pop(kind)
                if hasattr(part, "close"):
                    part.close()


def live_target(guest: Guest) -> Target:
    """A running guest."""
    return Target(guest, None, guest.machine.kernel.vmlinux)


def dump_target(dump: Path, vmlinux: Path) -> Target:
    """A dump; raises InputError if it is none, or *vmlinux* is another kernel's."""
    return Target(None, ElfDump(dump), vmlinux, f"the dump {dump}")
