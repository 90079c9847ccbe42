# SPDX-License-Identifier: Apache-2.0
"""Parse numbers and bytes that are typed; errors say what was expected."""

import shlex

from harness.base.errors import InputError

ADDRESS_END = 1 << 64
"""Addresses have 64 bits."""

LARGEST = 64 * 1024
"""Most bytes that a command shows; the dump that ``save`` writes has all."""


def parse_words(line: str) -> list[str]:
    """Cut *line* into words as a POSIX shell does; raises InputError for an open quotation."""
    try:
        return shlex.split(line)
    except ValueError as fault:
        raise InputError(f"{line!r} is not a list of words: {fault}") from fault


def parse_number(text: str, what: str, *, end: int, least: int = 0) -> int:
    """Read a number of any base Python knows; raises InputError unless *least* <= it < *end*."""
    try:
        number = int(text, 0)
    except ValueError:
        raise InputError(f"invalid {what} {text!r}: expected a number such as 64 or 0x40") from None
    if not least <= number < end:
        raise InputError(f"invalid {what} {text}: expected {least:#x} to {end - 1:#x}")
    return number


def parse_range(address: str, size: str, *, largest: int) -> tuple[int, int]:
    """Read an address and the number of bytes from there on, 1 to *largest*."""
    first = parse_number(address, "address", end=ADDRESS_END)
    return first, parse_number(size, "number of bytes", least=1, end=largest + 1)


def parse_bytes(text: str) -> bytes:
    """Read one or more bytes in hexadecimal, with or without blanks."""
    try:
        data = bytes.fromhex(text)
    except ValueError:
        data = b""
    if not data:
        raise InputError(f"{text!r} are not bytes: expected pairs of hexadecimal digits, as 00ff10")
    return data


def hex_dump(address: int, data: bytes) -> str:
    """Lines of 16 bytes: address, hexadecimal, text."""
    rows = (data[offset : offset + 16] for offset in range(0, len(data), 16))
    return "\n".join(
        f"{address + 16 * number:012x}  {row.hex(' '):47}  {_printable(row)}"
        for number, row in enumerate(rows)
    )


def _printable(data: bytes) -> str:
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data)
