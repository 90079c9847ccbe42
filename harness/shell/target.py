# SPDX-License-Identifier: Apache-2.0
"""Target: the machine that the commands work on, a running guest or a dump."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from harness.base.errors import InputError
from harness.base.outcome import Outcome
from harness.devices.probe import Probe
from harness.machine.qemu.guest import Guest
from harness.observe.memory import ElfDump, KernelTypes, Memory, Symbols, live_memory
from harness.observe.memory.names import Namer, PoolNames, Resolver, SymbolNames
from harness.observe.memory.places import Places
from harness.shell.command import Needs
from harness.shell.namers import HeldNames, RegisterNames

T = TypeVar("T")


class Target:
    """A guest, or a dump with its ``vmlinux``, and what has been found out about it.

    The kernel's types are read at the first use, 0.4 s, and kept.
    """

    def __init__(self, guest: Guest | None, memory: Memory | None, vmlinux: Path) -> None:
        self.vmlinux = vmlinux
        self.parts: dict[type, Any] = {}
        self._guest = guest
        self._memory = memory
        self._types: KernelTypes | None = None
        self._probe: Probe | None = None

    @property
    def guest(self) -> Guest:
        """The guest; raises InputError if the target is a dump."""
        if self._guest is None:
            raise InputError("a dump has no machine: this command needs a guest")
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
            self._types = KernelTypes(self.memory, Symbols(self.vmlinux))
        return self._types

    def read_types(self) -> KernelTypes:
        """:attr:`types`, for what may not need them."""
        return self.types

    @property
    def probe(self) -> Probe:
        """The probe of a running guest."""
        if self._probe is None:
            self._probe = Probe(self.guest.agent)
        return self._probe

    @property
    def resolver(self) -> Resolver:
        """What turns words into addresses."""
        namers: list[Namer] = [PoolNames(self.read_types)]
        if self._guest is not None:
            namers += [RegisterNames(self._guest), HeldNames(self)]
        return Resolver(self.read_types, [*namers, SymbolNames(self.read_types)])

    @property
    def places(self) -> Places:
        """What says what an address is; it reads pools and page tables at its first use."""
        return Places(self._guest, self.types)

    def part(self, kind: type[T], make: Callable[[], T]) -> T:
        """The session's own *kind*, made at the first use."""
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
        if needs is Needs.RUNNING and not self.is_running():
            raise InputError("the machine is stopped: 'continue' resumes it")

    def close(self) -> None:
        """Close the view of the memory and the parts of the session."""
        while self.parts:
            _, part = self.parts.popitem()
            if hasattr(part, "close"):
                part.close()
        if self._memory is not None:
            self._memory.close()


def live_target(guest: Guest) -> Target:
    """A running guest."""
    return Target(guest, None, guest.machine.kernel.vmlinux)


def dump_target(dump: Path, vmlinux: Path) -> Target:
    """A dump; raises InputError if it is none, or *vmlinux* is another kernel's."""
    return Target(None, ElfDump(dump), vmlinux)
