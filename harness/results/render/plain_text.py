# SPDX-License-Identifier: Apache-2.0
"""Lines of plain text for mails and terminals: 72 columns, names and commands in one piece."""

import textwrap
from collections import Counter
from collections.abc import Iterable

from harness.base.result import Result
from harness.results.case import Case
from harness.results.judge import Difference

WIDTH = 72
"""Columns of a line in a mail."""


def wrapped(text: str, indent: str = "", later: str | None = None) -> list[str]:
    """Break *text* into lines of WIDTH columns; a word that is longer stays whole.

    The first line begins with *indent*, the others with *later*, or with *indent* too.
    """
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if later is None else later,
        break_long_words=False,
        break_on_hyphens=False,
    )


def short_name(test: str) -> str:
    """A node id without the folders in front of its file: what ``pytest -k`` and people use."""
    file, separator, name = test.partition("::")
    return f"{file.rpartition('/')[2]}{separator}{name}"


def failure_lines(case: Case, indent: str = "    ") -> list[str]:
    """What *case* says: violations line by line as they are, a message of one line wrapped."""
    lines = case.message.splitlines()
    return wrapped(case.message, indent) if len(lines) < 2 else [indent + line for line in lines]


def findings_of(differences: Iterable[Difference]) -> tuple[str, ...]:
    """The tests of known findings on the base of *differences*, by their short names."""
    return tuple(short_name(one.test) for one in differences)


def counts(cases: Iterable[Case]) -> dict[Result, int]:
    """How many tests ended with each result, the worst first; results that none has are absent."""
    found = Counter(one.result for one in cases)
    return {result: found[result] for result in Result if result in found}


def tally(cases: Iterable[Case]) -> str:
    """The same as one line: ``3 FAIL, 120 PASS``; "no tests" for none."""
    return ", ".join(f"{number} {result}" for result, number in counts(cases).items()) or "no tests"
