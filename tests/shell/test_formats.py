# SPDX-License-Identifier: Apache-2.0
"""The formats of gdb's x command."""

import pytest

from harness.base.errors import InputError
from harness.shell.formats import parse_format

DATA = bytes.fromhex("ff00000041000000") + b"Linux\0b\0" + bytes(256)


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("/2wx", "000000001000  0x000000ff  0x00000041"),
        ("/gx", "000000001000  0x00000041000000ff"),
        ("/bd", "000000001000  -1"),
        ("/bu", "000000001000  255"),
        ("/bt", "000000001000  11111111"),
        ("/2o", "000000001000  0o377  0o101"),
        ("/c", "000000001000  -1"),
        ("/a", "000000001000  0x00000041000000ff  a place"),
        ("/3gx", "000000001000  0x00000041000000ff  0x00620078756e694c\n000000001010  0x"),
    ],
)
def test_values_are_shown_as_gdb_does(form: str, shown: str) -> None:
    read = parse_format(form)
    data = DATA[: read.count * read.size]

    assert read.text(0x1000, data, lambda _: "a place").startswith(shown)


def test_strings_end_at_their_zeros() -> None:
    text = parse_format("/2s").text(0x1000, DATA[8:], lambda _: None)

    assert text == "000000001000  'Linux'\n000000001006  'b'"


@pytest.mark.parametrize("form", ["/", "/4", "/x4", "/4gg", "/xd", "/99999gx", "/0x", "/q"])
def test_what_gdb_would_refuse_is_refused(form: str) -> None:
    if form in ("/", "/4"):
        assert parse_format(form).letter == "x"
        return
    with pytest.raises(InputError, match="expected"):
        parse_format(form)
