# SPDX-License-Identifier: Apache-2.0
"""Symbols of a vmlinux, the place of its image in RAM, and the kernel's vmcoreinfo."""

import struct
import subprocess
from pathlib import Path

import pytest

from harness.base.address_range import AddressRange
from harness.base.errors import AddressError, InputError
from harness.observe.memory import Memory, Symbols, locate
from harness.observe.memory.sources import MappedRam
from harness.observe.memory.vmcoreinfo import read_vmcoreinfo

LINK = 0xFFFF_8000_8000_0000
RAM = 0x4000_0000
LOADED = RAM + (2 << 20)
TEXT = b"OSRELEASE=6.12.0\nPAGESIZE=4096\n"

SOURCE = """
.section .text
.globl _text, _end, some_function, other_function, an_function, function
.globl kimage_voffset, memstart_addr
.globl vmcoreinfo_data, vmcoreinfo_size
_text:
some_function: .skip 16
.size some_function, 16
function: .skip 8
nop
.skip 4
an_function:
other_function: .skip 8
twice: .skip 8
only_static: .skip 8
kimage_voffset: .quad 0
memstart_addr: .quad 0
vmcoreinfo_data: .quad 0
vmcoreinfo_size: .quad 0
"""

MORE = """
.section .text
.globl shadowed
twice: .skip 8
shadowed: .skip 8
"""

SCRIPT = """
SECTIONS {
    . = 0xffff800080000000;
    .text : { *(.text) *(.data) }
    .notes : { *(.note.gnu.build-id) }
    _end = .;
}
"""


@pytest.fixture(scope="module")
def vmlinux(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the symbols, the addresses and the note that a kernel has, and no kernel."""
    place = tmp_path_factory.mktemp("vmlinux")
    (place / "one.s").write_text(SOURCE)
    (place / "two.s").write_text(MORE)
    (place / "script").write_text(SCRIPT)
    flags = ["-nostdlib", "-static", "-Wl,--build-id=sha1", "-Wl,-T,script", "-o", "vmlinux"]
    command = ["aarch64-linux-gnu-gcc", *flags, "one.s", "two.s"]
    subprocess.run(command, cwd=place, check=True)
    return place / "vmlinux"


@pytest.fixture
def symbols(vmlinux: Path) -> Symbols:
    return Symbols(vmlinux)


def image(symbols: Symbols, values: dict[str, int]) -> bytes:
    """The bytes of the kernel as loaded, with *values* in its variables."""
    size = symbols.address("_end") - LINK
    data = bytearray(size)
    note = symbols.build_id
    data[note.address - LINK : note.address - LINK + len(note.value)] = note.value
    for name, value in values.items():
        struct.pack_into("<Q", data, symbols.address(name) - LINK, value)
    return bytes(data)


def guest(kernel: bytes, at: int = LOADED, also: bytes = b"") -> Memory:
    """8 MiB of RAM with *kernel* at *at* and *also* in its last MiB."""
    data = bytearray(8 << 20)
    data[at - RAM : at - RAM + len(kernel)] = kernel
    data[7 << 20 : (7 << 20) + len(also)] = also
    return Memory([AddressRange(RAM, len(data))], [MappedRam(memoryview(data))])


def test_a_symbol_has_its_link_address_and_size(symbols: Symbols) -> None:
    found = symbols.find("some_function")

    assert found is not None
    assert (found.address, found.size) == (LINK, 16)


def test_a_name_that_ends_another_name_is_found(symbols: Symbols) -> None:
    assert symbols.address("function") == LINK + 16


def test_a_static_name_used_once_is_found(symbols: Symbols) -> None:
    assert symbols.address("only_static") == LINK + 48


def test_a_static_name_used_twice_is_refused(symbols: Symbols) -> None:
    with pytest.raises(InputError, match="more than one static symbol 'twice'"):
        symbols.find("twice")


def test_a_missing_name_is_none_or_refused_where_it_is_needed(symbols: Symbols) -> None:
    assert symbols.find("some_func") is None
    with pytest.raises(InputError, match="no symbol some_func"):
        symbols.address("some_func")


def test_an_address_belongs_to_the_last_name_before_it_not_to_a_marker(symbols: Symbols) -> None:
    nearest = symbols.nearest(LINK + 16 + 9)

    assert nearest is not None
    assert nearest.name == "function"


def test_an_address_before_all_symbols_belongs_to_none(symbols: Symbols) -> None:
    assert symbols.nearest(LINK - 1) is None


def test_the_build_id_is_the_linker_s(vmlinux: Path, symbols: Symbols) -> None:
    notes = subprocess.run(
        ["aarch64-linux-gnu-readelf", "-n", vmlinux], check=True, capture_output=True, text=True
    )

    assert symbols.build_id.value.hex() in notes.stdout


def test_a_stripped_vmlinux_is_refused(vmlinux: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run(["aarch64-linux-gnu-strip", "-o", bare, vmlinux], check=True)

    with pytest.raises(InputError, match="it was stripped"):
        Symbols(bare)


def test_the_image_is_found_where_qemu_loads_it(symbols: Symbols) -> None:
    memory = guest(image(symbols, {"kimage_voffset": LINK - LOADED}))

    found = locate(memory, symbols)

    assert (found.phys, found.slide) == (LOADED, 0)


def test_the_image_is_found_at_another_base_and_with_kaslr(symbols: Symbols) -> None:
    base, slide = RAM + (4 << 20), 0x1230_0000
    memory = guest(image(symbols, {"kimage_voffset": LINK + slide - base}), at=base)

    found = locate(memory, symbols)

    assert (found.phys, found.slide) == (base, slide)


def test_image_addresses_convert_both_ways(symbols: Symbols) -> None:
    found = locate(guest(image(symbols, {"kimage_voffset": LINK - LOADED})), symbols)

    assert found.to_phys(LINK + 16) == LOADED + 16
    assert found.to_link(LOADED + 16) == LINK + 16


def test_another_kernel_in_ram_is_refused(symbols: Symbols) -> None:
    with pytest.raises(AddressError, match="no kernel with build id"):
        locate(guest(b"another kernel"), symbols)


def test_a_kernel_that_has_not_begun_is_refused(symbols: Symbols) -> None:
    with pytest.raises(AddressError, match="has not started"):
        locate(guest(image(symbols, {})), symbols)


@pytest.mark.parametrize("tag", [0xFF, 0xF4], ids=["no tag", "tag"])
@pytest.mark.parametrize("va_bits", [36, 39, 42, 47, 48, 52])
def test_vmcoreinfo_is_found_through_the_linear_map(
    symbols: Symbols, va_bits: int, tag: int
) -> None:
    pointer = (RAM + (7 << 20) - (1 << va_bits) - RAM) & ((1 << 56) - 1) | tag << 56
    values = {
        "kimage_voffset": LINK - LOADED,
        "memstart_addr": RAM,
        "vmcoreinfo_data": pointer,
        "vmcoreinfo_size": len(TEXT),
    }
    memory = guest(image(symbols, values), also=TEXT + b"beyond")

    assert read_vmcoreinfo(memory, symbols, locate(memory, symbols)) == TEXT


def test_a_kernel_without_vmcoreinfo_yet_is_refused(symbols: Symbols) -> None:
    memory = guest(image(symbols, {"kimage_voffset": LINK - LOADED, "memstart_addr": RAM}))

    with pytest.raises(AddressError, match="has no vmcoreinfo yet"):
        read_vmcoreinfo(memory, symbols, locate(memory, symbols))
