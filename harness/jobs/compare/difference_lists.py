# SPDX-License-Identifier: Apache-2.0
"""Lists of tests in a judgement: each at most half a screen, however many tests there are."""

from collections import Counter
from collections.abc import Iterator, Sequence

from harness.results import Case
from harness.results.judge import Difference
from harness.results.render.plain_text import failure_lines, short_name, telling, wrapped

MOST = 8
"""Tests that are listed under each heading; the rest is counted."""

IN_FULL = 2
"""Tests of a longer list whose failures are shown: a violation has about ten lines."""

ALIKE = 3
"""Tests without a result that are told in one sentence if their reason is the same."""


def listed(
    title: str, tests: Sequence[Difference], *, failures: bool = False, notes: Sequence[str] = ()
) -> str:
    """A heading, and below it the tests with their results; with *failures* also their failures.

    *notes*, where there are any, are one for each test.
    """
    lines = wrapped(title)
    in_full = len(tests) if len(tests) <= IN_FULL + 1 else IN_FULL
    for number, one in enumerate(tests[:MOST]):
        lines += [
            f"  {short_name(one.test)}",
            f"    {_results(one.base)} -> {_results(one.patched)}",
        ]
        if failures and number < in_full:
            lines += failure_lines(telling((*one.base, *one.patched)))
        lines += [f"    {note}" for note in notes[number : number + 1]]
    if len(tests) > MOST:
        lines.append(f"  and {len(tests) - MOST} more (--html=FILE, --json=FILE: all)")
    return "\n".join(lines)


def not_judged(name: str, tests: Sequence[Difference]) -> Iterator[str]:
    """Tests without a result: a paragraph for each reason that several share, then the others."""
    reasons: dict[str, list[Difference]] = {}
    for one in tests:
        reasons.setdefault(one.why_open, []).append(one)
    others: list[Difference] = []
    for reason, group in reasons.items():
        if reason and len(group) >= ALIKE:
            text = f"{name}: {len(group)} tests are not judged: {reason}"
            yield "\n".join(wrapped(text if text.endswith(".") else f"{text}."))
        else:
            others += group
    if others:
        yield listed(f"{name}: not judged:", others, failures=True)


def _results(outcomes: Sequence[Case]) -> str:
    """Each result, with its number if there is more than one of it."""
    counts = Counter(one.result for one in outcomes)
    said = (f"{count}x {word}" if count > 1 else word for word, count in counts.items())
    return ", ".join(said) or "did not run"
