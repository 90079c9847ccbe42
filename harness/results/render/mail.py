# SPDX-License-Identifier: Apache-2.0
"""Plain text for a reply on a mailing list: 72 columns, no markup, violations as they are."""

from collections.abc import Iterator, Mapping, Sequence

from harness.base.result import Result
from harness.results import Case, Run, violated_properties
from harness.results.judge import Change, Comparison, earns_tag
from harness.results.render.artifacts import Artifacts
from harness.results.render.plain_text import (
    COSTS,
    WIDTH,
    counts,
    failure_lines,
    findings_gone,
    notices,
    telling,
    wrapped,
)
from harness.results.render.summary import headline

MOST = 20
"""Tests that are named under each heading; of more, the number is given."""

_TITLES = {
    Change.BROKEN: "Broken by this series",
    Change.FLAKY: "Flaky with this series, not on the base",
    Change.NOT_JUDGED: "Not judged",
    Change.FIXED: "Fixed by this series",
    Change.STILL_FAILING: "Failing before and after (not the fault of this series)",
    Change.STILL_FLAKY: "Flaky before and after (not the fault of this series)",
}
"""Changes whose tests are named."""


def mail(
    subject: Run | Comparison, artifacts: Mapping[str, Artifacts] | None = None, tester: str = ""
) -> str:
    """The text, with a Tested-by tag of *tester* (``Name <address>``) if the subject earns it."""
    run = subject.patched if isinstance(subject, Comparison) else subject
    lines = [
        *wrapped(f"Restricted DMA test results: {headline(subject)}.", "", "  "),
        "",
        *_provenance(run, subject.base if isinstance(subject, Comparison) else None),
        *_body(subject, artifacts or {}),
        *_notices(run),
    ]
    if tester and earns_tag(subject):
        lines += ["", f"Tested-by: {tester}"]
    return "\n".join(lines) + "\n"


def _provenance(run: Run, base: Run | None) -> Iterator[str]:
    where = run.provenance
    yield from _field("Kernel", f"{where.release} ({where.source})")
    for patch in where.series:
        yield from _field("Patch", patch)
    if base is not None:
        series = f" with {', '.join(base.provenance.series)}" if base.provenance.series else ""
        yield from _field("Base", f"{base.provenance.release} ({base.provenance.source}){series}")
    yield from _field("Build id", where.build_id)
    yield from _field("Config", f"{where.flavour or 'default'}, hash {where.config}")
    yield from _field("Compiler", where.compiler)
    yield from _field("QEMU", where.qemu)
    yield from _field("Results", ", ".join(f"{n} {name}" for name, n in counts(run.tests).items()))


def _body(subject: Run | Comparison, artifacts: Mapping[str, Artifacts]) -> Iterator[str]:
    if isinstance(subject, Run):
        bad = [one for one in subject.tests if one.result.at_fault]
        yield from _tests("Failed", bad, artifacts)
        return
    for change, title in _TITLES.items():
        found = [telling(d.patched or d.base) for d in subject.having(change)]
        yield from _tests(title, found, artifacts)
    if known := subject.having(Change.KNOWN):
        yield from ["", f"Known to fail on such kernels: {len(known)}"]
    if gone := findings_gone(subject):
        yield from ["", *wrapped(gone, "", "  ")]
    if subject.coverage:
        yield ""
        yield "Lines of this series that ran:"
        for line in subject.coverage:
            yield from wrapped(line, "  ", "    ")
    if subject.costs:
        yield from ["", f"{COSTS}:", *(f"  {line}" for line in subject.costs)]


def _notices(run: Run) -> Iterator[str]:
    if said := notices(run):
        yield from ["", "Notices:"]
        for notice in said:
            yield from wrapped(notice, "  ", "    ")


def _tests(title: str, tests: Sequence[Case], artifacts: Mapping[str, Artifacts]) -> Iterator[str]:
    if not tests:
        return
    yield ""
    yield f"{title}:"
    for outcome in tests[:MOST]:
        yield from _test(outcome, artifacts.get(outcome.artifacts))
    if len(tests) > MOST:
        yield f"  and {len(tests) - MOST} more"


def _test(outcome: Case, artifacts: Artifacts | None) -> Iterator[str]:
    name = outcome.test.rpartition("::")[2]
    if len(name) > WIDTH - len("  CRASH "):
        name = name.replace("[", " [", 1)
    properties = " ".join(violated_properties([outcome]) or outcome.properties)
    about = f" ({properties})" if properties else ""
    yield from wrapped(f"{outcome.result} {name}{about}", "  ", "    ")
    for title in artifacts.titles if artifacts else ():
        yield from wrapped(title, "    ", "      ")
    if outcome.result is not Result.PASS:
        yield from failure_lines(outcome, here=False)


def _field(name: str, value: str) -> list[str]:
    return wrapped(f"{name + ':':10} {value}", "", " " * 11)
