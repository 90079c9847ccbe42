# SPDX-License-Identifier: Apache-2.0
"""Lines of plain text for mails and terminals: 72 columns, names and commands in one piece."""

import shlex
import textwrap
from collections import Counter
from collections.abc import Iterable, Sequence

from harness.base.result import Result
from harness.results.case import Case
from harness.results.judge import Comparison
from harness.results.run import Run

COSTS = "Instructions and copied bytes that differ"
"""The head of what calls cost on two kernels."""

WIDTH = 72
"""Columns of a line in a mail."""


FINDINGS = "docs/findings.md: "
"""Precedes the finding's name in the message of a KNOWN test (harness/plugin/results.py)."""


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


def telling(cases: Sequence[Case]) -> Case:
    """The case among *cases* (one or more) to show: the last failure or error, else the last."""
    return next((one for one in reversed(cases) if one.result.at_fault), cases[-1])


def block(case: Case) -> str:
    """All violations of *case* in full, else its message."""
    return "\n".join(map(str, case.violations)) or case.message


def failure_lines(case: Case, indent: str = "    ", here: bool = True) -> list[str]:
    """The violations of *case* unchanged, or its message wrapped.

    Violations are not wrapped, so that commands and addresses can be copied. With *here* (readers
    on this machine) the debug command follows if no violation has it.
    """
    if case.violations:
        lines = [indent + line for line in block(case).splitlines()]
    else:
        lines = wrapped(case.message, indent)
    if here and case.artifacts and not any(one.debug for one in case.violations):
        lines.append(f"{indent}harness debug {shlex.quote(case.artifacts)}")
    return lines


def findings_gone(comparison: Comparison) -> str:
    """One sentence that names the findings that no longer show; empty for none."""
    names = dict.fromkeys(_finding(one.base) for one in comparison.findings_gone)
    return f"Findings that no longer show: {', '.join(names)}." if names else ""


def notices(run: Run) -> tuple[str, ...]:
    """The notices of the tests of *run*, such as unexpected passes, each once."""
    return tuple(dict.fromkeys(notice for one in run.tests for notice in one.notices))


def counts(cases: Iterable[Case]) -> dict[Result, int]:
    """How many tests ended with each result, the worst first; results that none has are absent."""
    found = Counter(one.result for one in cases)
    return {result: found[result] for result in Result if result in found}


def _finding(cases: Sequence[Case]) -> str:
    """The name of the finding that a test of it shows, else the test's."""
    named = (finding_of(one) for one in cases)
    return next((name for name in named if name), short_name(cases[0].test))


def finding_of(case: Case) -> str:
    """The name of the finding that a KNOWN *case* shows; empty if its message names none."""
    _, named, said = case.message.partition(FINDINGS)
    return said.split()[0].rstrip(".") if named else ""


def tally(cases: Iterable[Case]) -> str:
    """The same as one line: ``3 FAIL, 120 PASS``; "no tests" for none."""
    return ", ".join(f"{number} {result}" for result, number in counts(cases).items()) or "no tests"
