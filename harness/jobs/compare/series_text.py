# SPDX-License-Identifier: Apache-2.0
"""The judgement on a series as text of 72 columns, for a terminal and for a reply by mail."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence

from harness.base.properties import in_order, property_order
from harness.jobs.compare.series_judgement import Failure, SeriesJudgement, Step
from harness.jobs.cost import beyond, change_lines
from harness.kernel.patches.apply import Fit
from harness.kernel.patches.series import Series
from harness.results import Case, Verdict
from harness.results.judge import Change, Comparison, Difference
from harness.results.render.plain_text import (
    failure_lines,
    findings_gone,
    notices,
    short_name,
    telling,
    wrapped,
)

MOST = 20
"""Tests that are listed under each heading; the rest is counted."""

SAME = (
    "Both kernels are the same, byte for byte: nothing that the series changes is compiled in "
    "this configuration."
)

CLOSING = {
    Verdict.GOOD: "Verdict: good. The series breaks nothing.",
    Verdict.BAD: "Verdict: bad. The series breaks something.",
    Verdict.NOT_JUDGED: "Verdict: not judged.",
}


def judgement_text(judgement: SeriesJudgement) -> str:
    """The whole judgement; it ends with the verdict."""
    parts = [_heading(judgement), *_application(judgement)]
    if judgement.patches:
        parts += [part for step in judgement.patches if (part := _patch(judgement, step))]
        parts.append(_counts("with the whole series", judgement.whole))
    else:
        parts.append(_counts("with the series", judgement.whole))
        parts += list(_effects(judgement, judgement.whole))
    parts += list(_not_its_fault(judgement.whole))
    parts += list(_notices(judgement.whole))
    parts += list(_costs(judgement))
    if judgement.coverage:
        parts.append("\n".join(["Lines that the series adds:", *judgement.coverage]))
    parts.append(_closing(judgement))
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(judgement: SeriesJudgement) -> str:
    series, comparison = judgement.series, _first_comparison(judgement)
    lines = [*_fact("series", f"{series.title} ({len(series.patches)} patches)")]
    lines += _fact("base", comparison.base.provenance.source if comparison else judgement.base)
    if comparison:
        where = comparison.patched.provenance
        lines += _fact("tests", shlex.join(comparison.base.words))
        lines += _fact("tools", f"{where.qemu}; {where.compiler}")
        if where.build_id == comparison.base.provenance.build_id:
            lines += wrapped(SAME)
    return "\n".join(lines)


def _fact(name: str, value: str) -> list[str]:
    return wrapped(value, f"{name:8}", " " * 8)


def _application(judgement: SeriesJudgement) -> Iterator[str]:
    series = judgement.series
    if series.note:
        yield _paragraph(f"This is {series.note}.")
    if series.missing:
        numbers = ", ".join(map(str, series.missing))
        yield _paragraph(f"Missing, by the subjects' numbers: patch {numbers}.")
    for skip in series.skipped:
        yield _paragraph(f'Left out: {skip.name} "{skip.subject}": {skip.reason}.')
    for number, attempt in enumerate(judgement.attempts, 1):
        if attempt.fit is not Fit.APPLIES:
            reason = f": {attempt.reason}" if attempt.reason else ""
            yield _paragraph(f"{_capital(series.label(number))} {attempt.fit.value}{reason}.")
        if attempt.fit is Fit.REFUSED and (note := series.patches[number - 1].note):
            yield _paragraph(f"Note: {note}.")
        if attempt.fit is Fit.REFUSED:
            yield from _remedies(judgement)


def _remedies(judgement: SeriesJudgement) -> Iterator[str]:
    """What may help if a patch does not apply."""
    if needs := judgement.series.needs:
        yield _paragraph(f"The series says that it needs: {needs}.")
    if judgement.elsewhere:
        names = ", ".join(judgement.elsewhere)
        yield _paragraph(f"Of the cached kernels it applies to: {names} (--kernel=SOURCE).")


def _patch(judgement: SeriesJudgement, step: Step) -> str:
    """What one patch changes, or one line if nothing."""
    found = list(_effects(judgement, step))
    if found:
        return "\n\n".join(found)
    failing = len(step.having(Change.STILL_FAILING, Change.STILL_FLAKY))
    rest = f"; {failing} still failing" if failing else ""
    return _paragraph(f"{_capital(_name(judgement.series, step))}: nothing changes{rest}.")


def _effects(judgement: SeriesJudgement, step: Step) -> Iterator[str]:
    """What a step breaks, repairs and leaves not judged, one paragraph each."""
    name = _capital(_name(judgement.series, step))
    if isinstance(step.outcome, Failure):
        yield _paragraph(f"{name} cannot be judged: {step.outcome.reason}")
        return
    if broken := step.having(Change.BROKEN):
        yield _broken(judgement, step, f"{name} breaks{properties_at_stake(broken)}")
    if fixed := step.having(Change.FIXED):
        yield _listed(f"{name} repairs{properties_at_stake(fixed)}:", fixed)
    if gone := findings_gone(step.outcome):
        yield _paragraph(gone)
    if flaky := step.having(Change.FLAKY):
        title = f"{name}: flaky, fails in some runs and not on the base:"
        yield _listed(title, flaky, failures=True)
    if unjudged := step.having(Change.NOT_JUDGED):
        yield _listed(f"{name}: not judged:", unjudged, failures=True)


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
    """The properties that a test found violated."""
    bad = [one for one in (*test.base, *test.patched) if one.against_kernel]
    return frozenset(name for one in bad for name in one.violated)


def _broken(judgement: SeriesJudgement, step: Step, title: str) -> str:
    """Tests that a step breaks, with their failures and the patches that repair them."""
    tests = step.having(Change.BROKEN)
    repairs = [judgement.repaired_by(one, step.position) for one in tests]
    names = [f"patch {at}/{len(judgement.series.patches)}" if at else "" for at in repairs]
    if not judgement.patches or not any(names):
        return _listed(f"{title}:", tests, failures=True)
    if len(set(names)) == 1:
        return _listed(f"{title}, and {names[0]} repairs it:", tests, failures=True)
    notes = [f"{name} repairs it" if name else "nothing repairs it" for name in names]
    return _listed(f"{title}:", tests, failures=True, notes=notes)


def _listed(
    title: str, tests: Sequence[Difference], *, failures: bool = False, notes: Sequence[str] = ()
) -> str:
    lines = wrapped(title)
    for number, one in enumerate(tests[:MOST]):
        lines += [
            f"  {short_name(one.test)}",
            f"    {_results(one.base)} -> {_results(one.patched)}",
        ]
        if failures:
            lines += failure_lines(telling((*one.base, *one.patched)))
        lines += [f"    {note}" for note in notes[number : number + 1]]
    if len(tests) > MOST:
        lines.append(f"  and {len(tests) - MOST} more")
    return "\n".join(lines)


def _results(outcomes: Sequence[Case]) -> str:
    """Each result, with its number if there is more than one of it."""
    counts = Counter(one.result for one in outcomes)
    said = (f"{count}x {word}" if count > 1 else word for word, count in counts.items())
    return ", ".join(said) or "did not run"


def _counts(title: str, step: Step) -> str:
    if isinstance(step.outcome, Failure):
        return ""
    counts = Counter(one.change.value for one in step.differences)
    said = ", ".join(f"{count} {word}" for word, count in counts.items())
    return _paragraph(f"{len(step.differences)} tests {title}: {said}.")


def _not_its_fault(step: Step) -> Iterator[str]:
    failing = step.having(Change.STILL_FAILING)
    if failing:
        title = "Fails on the base too, and is not the fault of the series:"
        yield _listed(title, failing, failures=True)
    if flaky := step.having(Change.STILL_FLAKY):
        title = "Flaky on the base too, and not the fault of the series:"
        yield _listed(title, flaky, failures=True)


def _notices(step: Step) -> Iterator[str]:
    if isinstance(step.outcome, Comparison) and (said := notices(step.outcome.patched)):
        yield "\n".join(
            ["Notices:", *(line for one in said for line in wrapped(one, "  ", "    "))]
        )


def _costs(judgement: SeriesJudgement) -> Iterator[str]:
    """The instructions that the series changes, and which of them are beyond the limit."""
    if judgement.costs:
        lines = change_lines(judgement.costs, MOST)
        yield "\n".join(["Instructions that differ:", *(f"  {line}" for line in lines)])
    if dear := beyond(judgement.costs, judgement.cost_limit):
        limit = f"{judgement.cost_limit:g} %"
        yield _paragraph(f"{len(dear)} of these grew by more than {limit} (--cost-limit).")


def _closing(judgement: SeriesJudgement) -> str:
    whole, verdict = judgement.whole.verdict, judgement.verdict
    if verdict is Verdict.BAD and judgement.patches and whole is Verdict.GOOD:
        return _paragraph(
            "Verdict: bad. The series breaks something in the middle and repairs it before its "
            "end; a bisection that stops in between finds a bad kernel."
        )
    return CLOSING[verdict]


def _first_comparison(judgement: SeriesJudgement) -> Comparison | None:
    steps = (judgement.whole, *judgement.patches)
    return next((one.outcome for one in steps if isinstance(one.outcome, Comparison)), None)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _paragraph(text: str) -> str:
    return "\n".join(wrapped(text))
