# SPDX-License-Identifier: Apache-2.0
"""A console is plain text on a screen without cursor and colours."""

import pytest

from harness.shell.console_text import KEPT, ConsoleText, typed_bytes


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        ([b"one\r\ntwo"], ["one", "two"]),
        ([b"one\r", b"\ntwo"], ["one", "two"]),
        ([b"one\r\r\n"], ["one", ""]),
        ([b"10%\r20%"], ["20%"]),
        ([b"\x1b[1;31mred\x1b[0m"], ["red"]),
        ([b"\x1b[", b"6n/ # "], ["/ # "]),
        ([b"\x1b]0;title\x07text"], ["text"]),
        ([b"typo\x08o"], ["typo"]),
        ([b"a\x00b\x07"], ["ab"]),
    ],
)
def test_what_a_console_writes_is_shown_in_lines(parts: list[bytes], shown: list[str]) -> None:
    text = ConsoleText()
    for part in parts:
        text.feed(part)

    assert text.last(len(shown)) == shown


def test_the_last_lines_are_kept() -> None:
    text = ConsoleText(tuple(map(str, range(2 * KEPT))))
    text.feed(b"\n".join(b"%d" % one for one in range(KEPT)))

    assert text.last(1) == [str(KEPT - 1)]
    assert len(text.last(4 * KEPT)) == KEPT


@pytest.mark.parametrize(
    ("line", "sent"), [("ls", b"ls\n"), ("", b"\n"), ("^C", b"\x03"), ("^D", b"\x04")]
)
def test_a_line_may_be_a_key(line: str, sent: bytes) -> None:
    assert typed_bytes(line) == sent
