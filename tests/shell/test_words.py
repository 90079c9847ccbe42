# SPDX-License-Identifier: Apache-2.0
"""What a person types in the shell is taken, or refused with what would have been taken."""

import pytest

from harness.base.errors import InputError
from harness.shell.words import (
    hex_dump,
    parse_bytes,
    parse_number,
    parse_range,
    parse_words,
)


@pytest.mark.parametrize(("text", "number"), [("64", 64), ("0x40", 64), ("0b1", 1)])
def test_numbers_are_taken_in_any_base(text: str, number: int) -> None:
    assert parse_number(text, "number", end=100) == number


@pytest.mark.parametrize("text", ["", "x", "1.5", "-1", "100", "0x"])
def test_an_invalid_number_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="invalid number"):
        parse_number(text, "number", end=100)


@pytest.mark.parametrize(
    ("address", "size"), [("0x10000000000000000", "1"), ("-1", "1"), ("0", "0"), ("0", "17")]
)
def test_a_range_that_cannot_be_is_refused(address: str, size: str) -> None:
    with pytest.raises(InputError, match="expected 0x"):
        parse_range(address, size, largest=16)


def test_the_largest_range_is_taken() -> None:
    assert parse_range("0xffffffffffffffff", "16", largest=16) == (0xFFFF_FFFF_FFFF_FFFF, 16)


def test_blanks_between_bytes_are_accepted() -> None:
    assert parse_bytes("00ff 10") == b"\x00\xff\x10"


@pytest.mark.parametrize("text", ["", "zz", "0", "0x00"])
def test_invalid_bytes_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="pairs of hexadecimal digits"):
        parse_bytes(text)


def test_an_open_quotation_is_refused() -> None:
    with pytest.raises(InputError, match="No closing quotation"):
        parse_words("read 'x")


def test_a_dump_shows_address_bytes_and_text() -> None:
    assert hex_dump(0x4000_0000, b"Linux\n" + bytes(11)).splitlines() == [
        "000040000000  4c 69 6e 75 78 0a 00 00 00 00 00 00 00 00 00 00  Linux...........",
        f"000040000010  {'00':47}  .",
    ]
