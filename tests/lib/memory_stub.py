# SPDX-License-Identifier: Apache-2.0
"""A stand-in for a kernel: a small C program whose types and variables drgn reads."""

import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import drgn
from elftools.elf.elffile import ELFFile
from packaging.version import Version

from harness.observe.memory import KernelTypes

PAGE = 4096

BASE, END = 0x400000, 0x500000
"""The addresses that the stub is linked at."""


def stub_program(place: Path, sources: Mapping[str, str]) -> drgn.Program:
    """Compile *sources*, by file name, into one program in *place* and open it with drgn."""
    for name, text in sources.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)
    flags = ["-g", "-nostdlib", "-static", f"-Wl,-Ttext-segment={BASE:#x}", "-Wl,-e,0"]
    command = ["aarch64-linux-gnu-gcc", *flags, "-o", "stub", *sources]
    subprocess.run(command, cwd=place, check=True)
    return _open(place / "stub")


def _open(path: Path) -> drgn.Program:
    program = drgn.Program(drgn.Platform(drgn.Architecture.AARCH64))
    module = program.extra_module("stub", create=True)
    module.address_range = (BASE, END)
    module.try_file(path, force=True)
    with path.open("rb") as file:
        for segment in ELFFile(file).iter_segments("PT_LOAD"):
            start, size = segment["p_vaddr"], segment["p_memsz"]
            size += -(start + size) % PAGE  # memory is mapped by pages
            _add(program, start, segment.data().ljust(size, b"\0"))
    return program


def _add(program: drgn.Program, address: int, data: bytes) -> None:
    def read(_address: int, count: int, offset: int, _physical: bool) -> bytes:
        return data[offset : offset + count]

    program.add_memory_segment(address, len(data), read)


class StubTypes(KernelTypes):
    """Kernel structures of a stub instead of a guest."""

    def __init__(self, program: drgn.Program, version: str = "6.12") -> None:
        self._stub, self._version = program, Version(version)

    @property
    def program(self) -> drgn.Program:
        """The stub."""
        return self._stub

    @property
    def version(self) -> Version:
        """The version whose structures the stub has."""
        return self._version

    def device(self, name: str) -> drgn.Object:
        """The stub's device variable *name*."""
        return self._stub[name].address_of_()

    def devices(self) -> Iterator[drgn.Object]:
        """The stub's array of devices."""
        table = self._stub["devices"]
        return (table[index].address_of_() for index in range(len(table)))
