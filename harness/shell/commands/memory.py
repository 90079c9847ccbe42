# SPDX-License-Identifier: Apache-2.0
"""Show memory, say what an address is, and search RAM."""

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from harness.base.address_range import AddressRange
from harness.base.errors import InputError
from harness.observe.memory import Atlas, MemoryUse, find
from harness.observe.memory.kernel import kernel_reading
from harness.observe.memory.names import KERNEL_VIRTUAL, pool_named, pools_in_order
from harness.shell.answer import Answer, Hex, fields, table
from harness.shell.command import Argument, Command, Takes, WrongForm
from harness.shell.disassembly import disassemble
from harness.shell.formats import MemoryFormat, parse_format
from harness.shell.target import Target
from harness.shell.words import LARGEST, hex_dump, parse_number

DEFAULT_SIZE = 64
"""Bytes that ``memory`` shows when no size is given."""

FOUND = 100
"""Most hits of a search that are shown."""

LONGEST = 4096
"""Bytes of a file that are searched for, at most."""

FREE = "free"
AREAS = ("pool", "kernel", FREE)

_SEARCH = re.compile(r"(.*?)(?:\s+in\s+(\S+)(?:\s+pages)?)?\s*", re.DOTALL)


def show_memory(target: Target, words: list[str]) -> Answer:
    """Bytes from an address on, as a dump or in one of gdb's formats."""
    match words:
        case [address, form] if form.startswith("/"):
            return _formatted(target, address, parse_format(form))
        case [form, address] if form.startswith("/"):
            return _formatted(target, address, parse_format(form))
        case [address, *size] if len(size) <= 1:
            count = _size(target, size[0]) if size else DEFAULT_SIZE
            first = target.resolver.address(address)
            data = target.memory.read(target.resolver.to_phys(first), count)
            text = hex_dump(first, data)
            return Answer(text, {"address": first, "bytes": data.hex()})
        case _:
            raise WrongForm


def _size(target: Target, text: str) -> int:
    size = target.resolver.address(text) if not text[:1].isdigit() else None
    if size is None:
        return parse_number(text, "number of bytes", least=1, end=LARGEST + 1)
    if not 1 <= size <= LARGEST:
        raise InputError(f"invalid number of bytes {size:#x}: expected 0x1 to {LARGEST:#x}")
    return size


def _formatted(target: Target, address: str, form: MemoryFormat) -> Answer:
    first = target.resolver.address(address)
    if form.letter == "i":
        return disassemble(target, first, form.count)
    data = target.memory.read(target.resolver.to_phys(first), form.count * form.size)
    text = form.text(first, data, target.places.describe)
    return Answer(text, {"address": first, "values": form.values(data)})


def where(target: Target, words: list[str]) -> Answer:
    """What an address is: slot, symbol, state of its page, device BAR."""
    if not words:
        raise WrongForm
    address = target.resolver.address(words[0])
    with kernel_reading("what lies at an address"):
        place = target.places.find(address) or "unknown: neither RAM nor a device's memory"
    phys = target.resolver.to_phys(address) if address >= KERNEL_VIRTUAL else address
    content: dict[str, object] = {"address": Hex(address), "is": place}
    if phys != address:
        content["physical"] = Hex(phys)
    return fields(content)


def search(target: Target, words: list[str]) -> Answer:
    """Every address of a pattern in RAM, or in one area of it, and what lies there."""
    found = _SEARCH.fullmatch(words[0]) if words else None
    if found is None or not found[1]:
        raise WrongForm
    pattern = _pattern(found[1].strip())
    hits = list(islice(_find(target, pattern, found[2]), FOUND + 1))
    places = target.places
    rows = [{"address": Hex(one), "is": places.describe(one)} for one in hits[:FOUND]]
    answer = table(rows, empty="not found")
    more = f"\n(and more: only the first {FOUND} are shown)" if len(hits) > FOUND else ""
    return Answer(answer.text + more, answer.data)


def _pattern(text: str) -> bytes:
    """The bytes of ``"text"``, of hexadecimal digits, or of a file."""
    if text[:1] in "\"'":
        if len(text) < 3 or text[-1] != text[0]:
            raise InputError(f"{text} has no closing quotation mark, or nothing inside")
        return text[1:-1].encode()
    try:
        data = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        data = b""
    if data:
        return data
    path = Path(text).expanduser()
    if path.is_file():
        with path.open("rb") as file:
            return file.read(LONGEST).rstrip(b"\0")
    raise InputError(
        f"{text} is nothing to search for: expected bytes such as 00ff10, "
        f'"text" in quotation marks, or a file of which the first {LONGEST} bytes are searched'
    )


def _find(target: Target, pattern: bytes, area: str | None) -> Iterator[int]:
    """The addresses of *pattern* in an area, or in all of RAM."""
    if area != FREE:
        return find(target.memory, pattern, _area(target, area) if area else None)
    atlas = Atlas(target.types)
    every = find(target.memory, pattern)
    return (one for one in every if atlas.classify(one).use is MemoryUse.FREE)


def _area(target: Target, name: str) -> list[AddressRange]:
    """The ranges of an area: a pool, all pools, or the kernel's image."""
    if name == "kernel":
        image = target.types.image
        return [AddressRange(image.phys, image.size)]
    if name == "pools":
        return [AddressRange(one.base, one.size) for one in pools_in_order(target.types)]
    pool = pool_named(target.types, name)
    return [AddressRange(pool.base, pool.size)]


COMMANDS = (
    Command(
        "memory",
        "Show memory; FORMAT is gdb's, a count, a letter of xduotacsi and a size of bhwg.",
        ("ADDRESS [SIZE]", "ADDRESS /FORMAT"),
        show_memory,
        ("memory linux_banner", "memory pool:slot14 /32gx", "memory swiotlb_bounce+0x20 /8i"),
        arguments=(Argument.ADDRESS,),
    ),
    Command(
        "where",
        "Say what an address is: slot of a pool, symbol, use of the page, device.",
        ("ADDRESS",),
        where,
        ("where 0x4f007000", "where pool:slot14", "where $pc"),
        arguments=(Argument.ADDRESS,),
        takes=Takes.TEXT,
    ),
    Command(
        "search",
        "Search RAM for bytes, text or a file's content, and say what lies there.",
        ('BYTES|"TEXT"|FILE [in POOL|pools|kernel|free pages]',),
        search,
        ('search "Linux version"', "search c0ffee in pool", 'search "secret" in free pages'),
        arguments=(Argument.FILE, ("in",), (*AREAS, "pools")),
        takes=Takes.TEXT,
    ),
)
