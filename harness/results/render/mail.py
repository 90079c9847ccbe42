# SPDX-License-Identifier: Apache-2.0
"""A block of plain text for a reply on a mailing list: 72 columns, no markup."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence

from harness.results import Case, Run
from harness.results.judge import KNOWN, Change, Comparison
from harness.results.render.artifacts import Artifacts
from harness.results.render.summary import counts, headline, is_good, violated_properties

WIDTH = 72

MOST = 20
"""Tests that are named of each kind; of more the number is told."""

_SHOWN = (Change.BROKEN, Change.FLAKY, Change.FIXED, Change.STILL_FAILING)

_NOT_OURS = "Failing before and after (not the fault of this series)"

_TITLES = {
    Change.BROKEN: "Broken by this series",
    Change.FLAKY: "Different from try to try",
    Change.FIXED: "Fixed by this series",
    Change.STILL_FAILING: _NOT_OURS,
}


def mail(
    subject: Run | Comparison, artifacts: Mapping[str, Artifacts] | None = None, tester: str = ""
) -> str:
    """The block; *tester* (``Name <address>``) is who has a Tested-by tag where all is good."""
    run = subject.patched if isinstance(subject, Comparison) else subject
    lines = [
        *_wrapped(f"Restricted DMA test results: {headline(subject)}."),
        "",
        *_provenance(run, subject.base if isinstance(subject, Comparison) else None),
        *_body(subject, artifacts or {}),
    ]
    if is_good(subject) and tester:
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
    yield from _field("Config", f"{where.flavour or 'the usual one'}, hash {where.config}")
    yield from _field("Compiler", where.compiler)
    yield from _field("QEMU", where.qemu)
    yield from _field("Results", ", ".join(f"{n} {name}" for name, n in counts(run.tests).items()))


def _body(subject: Run | Comparison, artifacts: Mapping[str, Artifacts]) -> Iterator[str]:
    if isinstance(subject, Run):
        bad = [one for one in subject.tests if one.result.at_fault]
        yield from _tests("Failed", bad, artifacts)
        return
    for change in _SHOWN:
        found = [d.patched[-1] for d in subject.having(change) if d.patched]
        if change is Change.STILL_FAILING:
            known = [one for one in found if one.result == KNOWN]
            found = [one for one in found if one.result != KNOWN]
            yield from ["", f"Known to fail on such kernels: {len(known)}"] if known else []
        yield from _tests(_TITLES[change], found, artifacts)
    if subject.coverage:
        yield ""
        yield "Lines of this series that ran:"
        for line in subject.coverage:
            yield from _wrapped(line, "  ")


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
    yield from _wrapped(
        f"{outcome.result} {name}" + (f" ({properties})" if properties else ""), "  "
    )
    for crash in dict.fromkeys(crash.title for crash in artifacts.crashes) if artifacts else ():
        yield from _wrapped(crash, "    ")
    if outcome.message and outcome.result != "PASS":
        yield from _wrapped(outcome.message, "    ")


def _field(name: str, value: str) -> list[str]:
    return _wrapped(f"{name + ':':10} {value}", "", " " * 11)


def _wrapped(text: str, indent: str = "", following: str | None = None) -> list[str]:
    """*text* in lines of WIDTH; a longer word, as a path or a hash, is cut."""
    further = indent + "  " if following is None else following
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=further, break_on_hyphens=False
    )
