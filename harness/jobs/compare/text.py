# SPDX-License-Identifier: Apache-2.0
"""The verdict in words, of no more than 72 columns, for a terminal and for a reply by mail."""

import shlex
import textwrap
from collections import Counter
from collections.abc import Iterator, Sequence

from harness.base.properties import in_order, property_order
from harness.jobs.compare.verdict import Answer, Failure, Step, Verdict, skipped, unjudged
from harness.kernel.patches.apply import Fit
from harness.kernel.patches.series import Series
from harness.results import Case
from harness.results.render import Change, Comparison, Difference

WIDTH = 72
"""Columns of a line in a mail; commands, names of tests and of folders are never broken."""

MOST = 20
"""Tests that are named one by one under each heading; of more, the number is said."""

SAME = (
    "Both kernels are the same, byte for byte: nothing that the series changes is compiled in "
    "this configuration."
)

CLOSING = {
    Answer.NOTHING_BROKEN: "Nothing is broken.",
    Answer.BROKEN: "The series breaks something.",
    Answer.NOT_JUDGED: "This could not be judged.",
}


def verdict_text(verdict: Verdict) -> str:
    """All of the verdict; it ends with the answer."""
    parts = [_heading(verdict), *_application(verdict)]
    if verdict.patches:
        parts += [part for step in verdict.patches if (part := _patch(verdict, step))]
        parts.append(_counts("with the whole series", verdict.whole))
    else:
        parts.append(_counts("with the series", verdict.whole))
        parts += list(_findings(verdict, verdict.whole))
    parts += list(_not_its_fault(verdict.whole))
    if verdict.coverage:
        parts.append("\n".join(["Lines that the series adds:", *verdict.coverage]))
    parts.append(_closing(verdict))
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(verdict: Verdict) -> str:
    series, comparison = verdict.series, _first_comparison(verdict)
    lines = [*_fact("series", f"{series.title} ({len(series.patches)} patches)")]
    lines += _fact("base", comparison.base.provenance.source if comparison else verdict.base)
    if comparison:
        where = comparison.patched.provenance
        lines += _fact("tests", shlex.join(comparison.base.words))
        lines += _fact("with", f"{where.qemu}; {where.compiler}")
        if where.build_id == comparison.base.provenance.build_id:
            lines += wrapped(SAME)
    return "\n".join(lines)


def _fact(name: str, value: str) -> list[str]:
    return wrapped(value, f"{name:8}", " " * 8)


def _application(verdict: Verdict) -> Iterator[str]:
    series = verdict.series
    if series.missing:
        numbers = ", ".join(map(str, series.missing))
        yield _paragraph(f"Missing, by the subjects' numbers: patch {numbers}.")
    for skip in series.skipped:
        yield _paragraph(f'Left out: {skip.name} "{skip.subject}": {skip.reason}.')
    for number, attempt in enumerate(verdict.attempts, 1):
        if attempt.fit is not Fit.APPLIES:
            reason = f": {attempt.reason}" if attempt.reason else ""
            yield _paragraph(f"{_capital(series.label(number))} {attempt.fit.value}{reason}.")


def _patch(verdict: Verdict, step: Step) -> str:
    """What one patch did; that it did nothing is a line."""
    found = list(_findings(verdict, step))
    if found:
        return "\n\n".join(found)
    failing = len(step.having(Change.STILL_FAILING))
    rest = f"; {failing} still failing" if failing else ""
    return _paragraph(f"{_capital(_name(verdict.series, step))}: nothing changes{rest}.")


def _findings(verdict: Verdict, step: Step) -> Iterator[str]:
    name = _name(verdict.series, step)
    if isinstance(step.outcome, Failure):
        yield _paragraph(f"{_capital(name)} cannot be judged: {step.outcome.reason}")
        return
    broken, fixed = step.having(Change.BROKEN), step.having(Change.FIXED)
    if broken:
        yield _broken(verdict, step, f"{_capital(name)} breaks{properties_at_stake(broken)}")
    if fixed:
        yield _listed(f"{_capital(name)} repairs{properties_at_stake(fixed)}:", fixed)
    flaky = step.having(Change.FLAKY)
    if flaky:
        title = f"{_capital(name)}: flaky, now one result and now another:"
        yield _listed(title, flaky, reopen=True)
    open_ = [one for one in unjudged(step) if one.change is not Change.FLAKY]
    if open_:
        yield _listed(f"{_capital(name)}: not judged:", open_, reopen=True)


def _name(series: Series, step: Step) -> str:
    if step.since == 0 and step.position == len(series.patches) > 1:
        return "the series"
    label = series.label(step.position)
    between = step.position - step.since
    return label if between == 1 else f"{label}, with the {between - 1} before it,"


def properties_at_stake(tests: Sequence[Difference]) -> str:
    """The properties at stake: as few as explain all *tests*, then the others that these name."""
    named = [names for test in tests if (names := _named(test))]
    least, left = list[str](), named
    while left:
        counts = Counter(name for names in left for name in names)
        least.append(min(counts, key=lambda name: (-counts[name], property_order(name))))
        left = [names for names in left if least[-1] not in names]
    others = in_order({name for names in named for name in names} - set(least))
    said = f" {' '.join(in_order(least))}" if least else ""
    return said + (f" (perhaps also {' '.join(others)})" if others else "")


def _named(test: Difference) -> frozenset[str]:
    """The properties that a test found broken, else those that it is about."""
    bad = [one for one in (*test.base, *test.patched) if one.against_kernel]
    return frozenset(name for one in bad for name in one.violated or one.properties)


def _broken(verdict: Verdict, step: Step, title: str) -> str:
    """The tests that a step breaks, how to stand in their machines, and who repairs them."""
    tests = step.having(Change.BROKEN)
    repairs = [verdict.repaired_by(one, step.position) for one in tests]
    names = [f"patch {at}/{len(verdict.series.patches)}" if at else "" for at in repairs]
    if not verdict.patches or not any(names):
        return _listed(f"{title}:", tests, reopen=True)
    if len(set(names)) == 1:
        return _listed(f"{title}, and {names[0]} repairs it:", tests, reopen=True)
    notes = [f"{name} repairs it" if name else "nothing repairs it" for name in names]
    return _listed(f"{title}:", tests, reopen=True, notes=notes)


def _listed(
    title: str, tests: Sequence[Difference], *, reopen: bool = False, notes: Sequence[str] = ()
) -> str:
    lines = wrapped(title)
    for number, one in enumerate(tests[:MOST]):
        lines += [
            f"  {short_name(one.test)}",
            f"    {_results(one.base)} -> {_results(one.patched)}",
        ]
        if reopen:
            lines += last_words((*one.base, *one.patched))
        lines += [f"    {note}" for note in notes[number : number + 1]]
    if len(tests) > MOST:
        lines.append(f"  and {len(tests) - MOST} more")
    return "\n".join(lines)


def last_words(outcomes: Sequence[Case]) -> list[str]:
    """What the last bad outcome said, and how to stand in its machine."""
    bad = [one for one in outcomes if one.message or one.artifacts]
    if not bad:
        return []
    lines = wrapped(bad[-1].message, "    ") if bad[-1].message else []
    if bad[-1].artifacts:
        lines.append(f"    harness shell --reopen {shlex.quote(bad[-1].artifacts)}")
    return lines


def _results(outcomes: Sequence[Case]) -> str:
    """Each result, with how often it came if that was more than once."""
    counts = Counter(one.result for one in outcomes)
    said = (f"{count}x {word}" if count > 1 else word for word, count in counts.items())
    return ", ".join(said) or "did not run"


def _counts(title: str, step: Step) -> str:
    if isinstance(step.outcome, Failure):
        return ""
    counts = Counter("skipped" if skipped(one) else one.change.value for one in step.differences)
    said = ", ".join(f"{count} {word}" for word, count in counts.items())
    return _paragraph(f"{len(step.differences)} tests {title}: {said}.")


def _not_its_fault(step: Step) -> Iterator[str]:
    failing = step.having(Change.STILL_FAILING)
    if failing:
        yield _listed(
            "Fails on the base too, and is not the fault of the series:", failing, reopen=True
        )


def _closing(verdict: Verdict) -> str:
    lasting = bool(verdict.whole.having(Change.BROKEN)) or isinstance(
        verdict.whole.outcome, Failure
    )
    if verdict.answer is Answer.BROKEN and verdict.patches and not lasting:
        return _paragraph(
            "The series breaks something in the middle, and is whole again at its end; a bisection "
            "that stops in between finds it broken."
        )
    return CLOSING[verdict.answer]


def _first_comparison(verdict: Verdict) -> Comparison | None:
    steps = (verdict.whole, *verdict.patches)
    return next((one.outcome for one in steps if isinstance(one.outcome, Comparison)), None)


def short_name(test: str) -> str:
    """A node id without the folders in front of its file."""
    file, _, name = test.partition("::")
    return f"{file.rpartition('/')[2]}::{name}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _paragraph(text: str) -> str:
    return "\n".join(wrapped(text))


def wrapped(text: str, indent: str = "", later: str | None = None) -> list[str]:
    """Break *text* into lines of WIDTH columns; names and commands stay whole."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if later is None else later,
        break_long_words=False,
        break_on_hyphens=False,
    )
