# SPDX-License-Identifier: Apache-2.0
"""The judgement on a series as text of 72 columns, for a terminal and for a reply by mail."""

import shlex
from collections import Counter
from collections.abc import Iterator, Sequence

from harness.base.properties import in_order, property_order
from harness.base.result import Result
from harness.jobs.compare.difference_lists import MOST, listed, not_judged
from harness.jobs.compare.series_judgement import Failure, SeriesJudgement, Step
from harness.jobs.cost import beyond, change_lines
from harness.kernel.patches.apply import Fit
from harness.kernel.patches.series import Series
from harness.results import Run, Verdict
from harness.results.judge import Change, Comparison, Difference
from harness.results.render.plain_text import COSTS, findings_gone, notices, tally, wrapped

SAME = "Nothing of this runs in the guest: both kernels are the same, byte for byte."

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
    parts += list(_kunit(judgement))
    parts += list(_kernel_notes(judgement))
    parts += list(_costs(judgement))
    if judgement.coverage:
        parts.append("\n".join(["Lines that the series adds:", *judgement.coverage]))
    parts.append(_closing(judgement))
    return "\n\n".join(part for part in parts if part) + "\n"


def _heading(judgement: SeriesJudgement) -> str:
    series, comparison = judgement.series, _first_comparison(judgement)
    lines = [*_fact("series", f"{series.title} ({_number(len(series.patches), 'patch', 'es')})")]
    lines += _fact("base", _base(comparison.base) if comparison else judgement.base)
    if comparison:
        where = comparison.patched.provenance
        lines += _fact("tests", shlex.join(comparison.base.words))
        lines += _fact("tools", f"{where.qemu}; {where.compiler}")
        if judgement.changes_nothing:
            lines += wrapped(SAME)
    return "\n".join(lines)


def _base(run: Run) -> str:
    flavour = run.provenance.flavour
    return run.provenance.source + (f", flavour {flavour}" if flavour else "")


def _fact(name: str, value: str) -> list[str]:
    return wrapped(value, f"{name:8}", " " * 8)


def _application(judgement: SeriesJudgement) -> Iterator[str]:
    series = judgement.series
    for remark in series.remarks:
        yield _paragraph(f"{_capital(remark)}.")
    for number, attempt in enumerate(judgement.attempts, 1):
        if attempt.fit is not Fit.APPLIES:
            reason = f": {attempt.reason}" if attempt.reason else ""
            yield _paragraph(f"{_capital(series.label(number))} {attempt.fit.value}{reason}.")
        if attempt.fit is Fit.REFUSED and (note := series.patches[number - 1].note):
            yield _paragraph(f"Note: {note}.")
    if names := ", ".join(one.label for one in judgement.elsewhere if one.applies):
        yield _paragraph(f"Of the cached kernels it applies to: {names} (--kernel=SOURCE).")
    elif tried := ", ".join(one.label for one in judgement.elsewhere):
        yield _paragraph(f"It applies to none of the cached kernels ({tried}).")


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
        yield _failure(name, step.outcome)
        return
    if broken := step.having(Change.BROKEN):
        yield _broken(judgement, step, f"{name} breaks{properties_at_stake(broken)}")
    if fixed := step.having(Change.FIXED):
        yield listed(f"{name} repairs{properties_at_stake(fixed)}:", fixed)
    if gone := findings_gone(step.outcome):
        yield _paragraph(gone)
    if flaky := step.having(Change.FLAKY):
        title = f"{name}: flaky, fails in some runs and not on the base:"
        yield listed(title, flaky, failures=True)
    yield from not_judged(name, step.having(Change.NOT_JUDGED))


def _failure(name: str, failure: Failure) -> str:
    """Why there is nothing to compare; what a compiler said is not wrapped."""
    first, *rest = failure.reason.splitlines()
    return "\n".join([_paragraph(f"{name}: {first}"), *(f"  {line}" for line in rest)])


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
        return listed(f"{title}:", tests, failures=True)
    if len(set(names)) == 1:
        return listed(f"{title}, and {names[0]} repairs it:", tests, failures=True)
    notes = [f"{name} repairs it" if name else "nothing repairs it" for name in names]
    return listed(f"{title}:", tests, failures=True, notes=notes)


def _counts(title: str, step: Step) -> str:
    if isinstance(step.outcome, Failure):
        return ""
    counts = Counter(one.change.value for one in step.differences)
    said = ", ".join(f"{count} {word}" for word, count in counts.items())
    tests = _number(len(step.differences), "test", "s")
    return _paragraph(f"{tests} {title}: {said}.")


def _not_its_fault(step: Step) -> Iterator[str]:
    failing = step.having(Change.STILL_FAILING)
    if failing:
        title = "Fails on the base too, and is not the fault of the series:"
        yield listed(title, failing, failures=True)
    if flaky := step.having(Change.STILL_FLAKY):
        title = "Flaky on the base too, and not the fault of the series:"
        yield listed(title, flaky, failures=True)


def _notices(step: Step) -> Iterator[str]:
    if isinstance(step.outcome, Comparison) and (said := notices(step.outcome.patched)):
        yield "\n".join(
            ["Notices:", *(line for one in said for line in wrapped(one, "  ", "    "))]
        )


def _kunit(judgement: SeriesJudgement) -> Iterator[str]:
    """The KUnit tests of the series: how many, and those that did not pass."""
    if not judgement.kunit:
        return
    lines = [f"KUnit tests in files of the series: {tally(judgement.kunit)}"]
    bad = [one for one in judgement.kunit if one.result not in (Result.PASS, Result.SKIP)]
    for one in bad[:MOST]:
        lines += [f"  {one.test} {one.result}", *wrapped(one.message, "    ")]
    yield "\n".join([*lines, *([f"  and {len(bad) - MOST} more"] if len(bad) > MOST else [])])


def _kernel_notes(judgement: SeriesJudgement) -> Iterator[str]:
    """What the build warned of, and what of the series is not in the kernel."""
    if new := judgement.warnings:
        rest = len(new) - MOST
        lines = [f"  {one}" for one in new[:MOST]] + ([f"  and {rest} more"] if rest > 0 else [])
        yield "\n".join(["It builds with new warnings:", *lines])
    yield from map(_paragraph, judgement.notes)


def _costs(judgement: SeriesJudgement) -> Iterator[str]:
    """The costs that the series changes, and which of them are beyond the limit."""
    if judgement.costs:
        lines = change_lines(judgement.costs, MOST)
        yield "\n".join([f"{COSTS}:", *(f"  {line}" for line in lines)])
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


def _number(count: int, word: str, plural: str) -> str:
    return f"{count} {word}{plural if count != 1 else ''}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _paragraph(text: str) -> str:
    return "\n".join(wrapped(text))
