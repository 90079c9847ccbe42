# SPDX-License-Identifier: Apache-2.0
"""The kernel's own structures in guest memory, through drgn."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import drgn
from drgn.helpers.linux.device import bus_for_each_dev, dev_name
from drgn.helpers.linux.mm import follow_phys
from packaging.version import Version

from harness.base.errors import AddressError, InputError, NotInKernel
from harness.kernel.source.version import parse_version
from harness.observe.memory.image import KernelImage, locate
from harness.observe.memory.ram import Memory
from harness.observe.memory.symbols import Symbols
from harness.observe.memory.tags import untagged
from harness.observe.memory.vmcoreinfo import read_vmcoreinfo

BUSES = ("platform_bus_type", "pci_bus_type")
"""The buses of devices that may do DMA (drivers/base/platform.c, drivers/pci/pci-driver.c)."""

ADDRESSES = 1 << 48
"""Size of the physical address space of a drgn program. RAM differs between guests, and a program
for each layout of RAM would have to read DWARF again."""

SMALLEST_PAGE = 4096
"""Bytes of the smallest page that an arm64 kernel may have."""

SHORT = 64
"""Bytes of a string that are read at once."""

NO_OBJECT = re.compile(r"could not find (?:(constant|variable|function) )?'([^']+)'")
NO_MEMBER = re.compile(r"'([^']+)' has no member '([^']+)'")
"""drgn's messages for a name that the kernel does not have."""

TYPES = ("struct ", "union ", "enum ", "class ")


class KernelTypes:
    """Kernel structures in *memory*, the RAM of a guest, with the types of its vmlinux.

    The first use takes about 0.3 s, nearly all of it to read DWARF; :meth:`move_to` keeps that for
    the next guest.
    """

    def __init__(self, memory: Memory, symbols: Symbols) -> None:
        self.symbols = symbols
        self._program: drgn.Program | None = None
        self._origin: object = None
        self.move_to(memory)

    def move_to(self, memory: Memory) -> None:
        """Read the RAM of another guest of the same kernel from now on, as after a restore."""
        self.memory = memory
        self._image: KernelImage | None = None
        self._checked = False

    @property
    def image(self) -> KernelImage:
        """The kernel image in RAM; raises AddressError when RAM has another kernel or none."""
        if self._image is None:
            self._image = locate(self.memory, self.symbols)
        return self._image

    @property
    def program(self) -> drgn.Program:
        """The drgn program on this guest; raises AddressError early in the kernel's boot."""
        if self._program is None or not self._checked:
            note = read_vmcoreinfo(self.memory, self.symbols, self.image)
            origin = (_without_layout(note), self.memory.live)
            if origin != self._origin:
                self._program, self._origin = self._open(note), origin
                if not _knows_layout(self._program):
                    self._origin = None
            self._checked = True
        assert self._program is not None, "opened above"
        return self._program

    @property
    def page_size(self) -> int:
        """Bytes of a page."""
        return int(self.program["PAGE_SIZE"])

    @property
    def version(self) -> Version:
        """The kernel's version, only its numbers."""
        return parse_version(self.vmcoreinfo("OSRELEASE"))

    def phys(self, address: int) -> int:
        """Where the kernel's page tables map its *address*, with or without a tag.

        Raises drgn.FaultError when they do not.
        """
        tables = self.program["init_mm"].address_of_()
        return int(follow_phys(tables, untagged(address)))

    def knows(self, name: str) -> bool:
        """Whether the kernel has a variable or function *name*."""
        return name in self.program

    def has_member(self, kind: drgn.Type, name: str, since: str, brought: bool = True) -> bool:
        """Whether structure *kind* has member *name*, which came with version *since*.

        Older kernels may have a backport. Raises NotInKernel when a kernel since that version lacks
        the member although its option is set (*brought*).
        """
        if kind.has_member(name):
            return True
        if brought and self.version >= Version(since):
            raise NotInKernel("a structure", "member", f"{kind.type_name()}.{name}")
        return False

    def vmcoreinfo(self, key: str) -> str:
        """The value of *key*, such as ``NUMBER(VA_BITS)``; raises InputError without it."""
        text: str = self.program["VMCOREINFO"].string_().decode()
        for line in text.splitlines():
            if line.startswith(f"{key}="):
                return line.removeprefix(f"{key}=")
        raise InputError(f"the guest's kernel has no {key} in its vmcoreinfo")

    def devices(self) -> Iterator[drgn.Object]:
        """Yield the ``struct device *`` of every device that may do DMA; raises drgn's errors."""
        for bus in BUSES:
            yield from bus_for_each_dev(self.program[bus].address_of_())

    def _open(self, note: bytes) -> drgn.Program:
        program = drgn.Program(drgn.Platform(drgn.Architecture.AARCH64))
        program.add_memory_segment(0, ADDRESSES, self._read, True)
        program.set_linux_kernel_custom(note, self.memory.live)
        program.load_debug_info([self.symbols.path])
        return program

    def _read(self, address: int, count: int, _offset: int, _physical: bool) -> bytes:
        try:
            return self.memory.read(address, count)
        except AddressError as fault:
            raise drgn.FaultError(str(fault), address) from fault

    def device(self, name: str) -> drgn.Object:
        """Return the ``struct device *`` that the kernel calls *name*, such as ``0000:01:00.0``.

        Raises InputError when neither the PCI nor the platform bus has it.
        """
        with kernel_reading("the devices"):
            for device in self.devices():
                if dev_name(device) == name.encode():
                    return device
        raise InputError(f"the guest's kernel has no PCI or platform device named '{name}'")


def _without_layout(note: bytes) -> bytes:
    """*note* without the table of RAM sections, which differs between machines."""
    return b"\n".join(line for line in note.splitlines() if b"(mem_section)" not in line)


def _knows_layout(program: drgn.Program) -> bool:
    """Make drgn find the ``struct page`` array, which it caches; only that needs the table.

    The array is at the same virtual address on all machines.
    """
    try:
        program["vmemmap"]
    except (drgn.FaultError, LookupError):
        return False
    return True


@contextmanager
def kernel_reading(what: str) -> Iterator[None]:
    """Convert drgn's exceptions while *what* is read.

    Raises AddressError for damaged structures, NotInKernel for a name that the kernel lacks.
    """
    try:
        yield
    except drgn.FaultError as fault:
        raise AddressError(
            f"cannot read {what}: the kernel does not map {fault.address:#x} ({fault}); its "
            "structures are damaged, or changed while they were read"
        ) from fault
    except (LookupError, AttributeError) as fault:
        if missing := not_in_kernel(fault, what):
            raise missing from fault
        raise


def not_in_kernel(fault: BaseException, what: str) -> NotInKernel | None:
    """The error for a name that drgn did not find; None if *fault* is something else."""
    text = str(fault)
    if member := NO_MEMBER.search(text):
        return NotInKernel(what, "member", f"{member[1]}.{member[2]}")
    if thing := NO_OBJECT.search(text):
        name = thing[2]
        kind = "type" if name.startswith(TYPES) else thing[1] or "symbol"
        return NotInKernel(what, kind, name)
    return None


def short_string(pointer: drgn.Object) -> str:
    """The string at a ``char *``; drgn's own ``string_()`` takes 30 times as long.

    Raises drgn.FaultError when nothing is mapped there.
    """
    address: int = pointer.value_()
    most = min(SHORT, SMALLEST_PAGE - address % SMALLEST_PAGE)
    start: bytes = pointer.prog_.read(address, most)
    text, end, _ = start.partition(b"\0")
    return (text if end else bytes(pointer.string_())).decode()
