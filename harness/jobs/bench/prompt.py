# SPDX-License-Identifier: Apache-2.0
"""From a person's prompt to the verdict on a kernel with one changed file, in bare boots.

The change is a new one each time, so that no cache has its kernel: a line with a number that never
was, in kernel/dma/swiotlb.c. All other caches are warm.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.base.progress import say, step
from harness.jobs.bench.in_boots import require_verdict, time_run
from harness.jobs.bench.measure import Measure
from harness.jobs.mutants import Mutant, read_mutants
from harness.kernel import KernelSpec
from harness.kernel.source.sources import resolve_source, update_tree
from harness.kernel.source.workspace import open_workspace
from harness.machine.machine import Machine
from harness.results import SuiteRequest, Verdict, run_tests

FILE = "kernel/dma/swiotlb.c"

BROKEN = ("B1", "C2", "D3", "E6", "F1")
"""Properties that a patch breaks, each by the first mutant that does and needs no flavour."""

ONE_TEST = "test_every_mapping_lies_in_the_pool and probe-a"
"""For pytest's ``-k``."""

WHOLE, FIRST, OWN = 100, 25, 20
"""The most bare boots for a whole verdict, for the first failure, and for one test."""


def measure_verdicts(request: SuiteRequest, machine: Machine) -> Iterator[Measure]:
    """Measure how soon a patch, a broken patch and an edited tree are judged.

    *request* names the kernel without the change, *machine* is the reference of bare boots. Raises
    HarnessError if a run does not end as it must.
    """
    with _own_tree(request) as tree, TemporaryDirectory() as scratch:
        own = replace(request, spec=replace(request.spec, source=str(tree)), match=ONE_TEST)
        for one in (replace(request, match=ONE_TEST), own):
            with step(f"warming the caches of {one.spec.source}"):
                require_verdict(run_tests(one), Verdict.GOOD)
        patch = Path(scratch) / "new.patch"
        patched = replace(request, spec=replace(request.spec, series=(patch,)))
        _write_patch(tree, patch)
        yield _ratio("new patch: whole verdict", patched, machine, WHOLE, Verdict.GOOD)
        for broken_property, mutant in _mutants(BROKEN):
            _write_patch(tree, patch)
            series = replace(request.spec, series=(patch, mutant.path))
            broken = replace(request, spec=series, max_failures=1)
            name = f"new patch with {mutant.name[:2]} ({broken_property}): first failure"
            yield _ratio(name, broken, machine, FIRST, Verdict.BAD)
        _edit(tree)
        yield _ratio("own tree, one line edited: one test", own, machine, OWN, Verdict.GOOD)
        yield _ratio("own tree, nothing edited: one test", own, machine, None, Verdict.GOOD)


def _ratio(
    name: str, request: SuiteRequest, machine: Machine, most: float | None, verdict: Verdict
) -> Measure:
    with step(name):
        timed = time_run(request, machine, verdict)
    return Measure(f"{name}, ratio to a bare boot", "", (timed.boots,), most=most)


@contextmanager
def _own_tree(request: SuiteRequest) -> Iterator[Path]:
    """The source of the requested kernel in a workspace of its own, in the place of a user's."""
    source = resolve_source(request.spec.source)
    with open_workspace(f"bench-{source.workspace}") as workspace:
        with step(f"unpacking {source.title}"):
            update_tree(workspace.tree, source)
        yield workspace.tree.source


def _write_patch(tree: Path, patch: Path) -> None:
    """Write a patch that puts a new line below the first of FILE."""
    first, second, *_ = _pristine(tree)
    patch.write_text(
        f"--- a/{FILE}\n+++ b/{FILE}\n@@ -1,2 +1,3 @@\n {first}+{_new_line()}\n {second}"
    )


def _edit(tree: Path) -> None:
    """Put a new line below the first of FILE, in the place of that of an earlier time."""
    first, *rest = _pristine(tree)
    (tree / FILE).write_text("".join((first, f"{_new_line()}\n", *rest)))


def _pristine(tree: Path) -> list[str]:
    """The lines of FILE without an edit."""
    lines = (tree / FILE).read_text().splitlines(keepends=True)
    return [line for line in lines if not line.startswith(_LINE)]


_LINE = "static const char bench[]"


def _new_line() -> str:
    return f'{_LINE} __attribute__((used)) = "{time.time_ns()}";'


def _of_default_kernel(mutant: Mutant) -> bool:
    return mutant.spec == KernelSpec(series=(mutant.path,))


def _mutants(properties: Sequence[str]) -> Iterator[tuple[str, Mutant]]:
    """Each of *properties* with the first mutant that breaks it."""
    every = [one for one in read_mutants() if one.tier == "default" and _of_default_kernel(one)]
    for wanted in properties:
        found = [one for one in every if wanted in one.breaks]
        if found:
            yield wanted, found[0]
        else:
            say(f"no mutant breaks {wanted}: it is not measured")
