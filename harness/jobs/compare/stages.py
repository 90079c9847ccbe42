# SPDX-License-Identifier: Apache-2.0
"""How long a comparison will take, from the history of runs and the kernels in the cache."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from harness.jobs.compare.kernel_runs import Kernels
from harness.jobs.compare.known_base import is_known
from harness.kernel import Kernel, KernelSpec
from harness.kernel.build.build import find_kernel
from harness.kernel.spec import cached_kernels
from harness.results.history import open_history, run_seconds
from harness.results.request import SuiteRequest, choice_of

LONG = 90
"""Seconds from which minutes are said."""


@dataclass(frozen=True)
class Stage:
    """A build, or a run of the tests: its name, and its *seconds*, None if nobody knows."""

    title: str
    seconds: float | None


def estimate(
    kernels: Kernels, *, again: bool = False, more: Sequence[str] = ()
) -> tuple[Stage, ...]:
    """The stages of a comparison that are left to do; without repetitions of what differs.

    With *again*, a known run of the base does not count. *more* are stages after it, which build
    kernels of their own; the history does not know how long these take.
    """
    return (*_stages(kernels, again), *(Stage(title, None) for title in more))


def estimate_text(stages: Sequence[Stage]) -> str:
    """The stages and their sum as one line."""
    if not stages:
        return "everything is known already"
    said = ", ".join(f"{one.title} {_about(one.seconds)}" for one in stages)
    return f"{said}; {sum_text(stages)}"


def sum_text(stages: Sequence[Stage]) -> str:
    """How long all of them take."""
    known = [one.seconds for one in stages if one.seconds is not None]
    more = " and what is not known" if len(known) < len(stages) else ""
    return f"in all {_about(sum(known))}{more}"


def usual_time(request: SuiteRequest, count: int) -> str:
    """Estimate, as text, for building and testing *count* kernels that are not in the cache."""
    build = _build_seconds(request.spec, cached_kernels())
    tests = run_seconds(open_history(), choice_of(request), request.spec.flavour)
    kernels = "1 kernel" if count == 1 else f"{count} kernels"
    said = f"{kernels}, each a build of {_about(build)} and tests of {_about(tests)}"
    if build is None or tests is None:
        return said
    return f"{said}; in all {_about(count * (build + tests))}"


def _stages(kernels: Kernels, again: bool) -> Iterator[Stage]:
    cached, history = cached_kernels(), open_history()
    base = kernels.positions[0]
    for position in kernels.positions:
        request, label = kernels.requests[position], _name(kernels, position)
        if find_kernel(request.spec).key not in cached:
            yield Stage(f"build of {label}", _build_seconds(request.spec, cached))
        if position == base and not again and is_known(request):
            continue
        seconds = run_seconds(history, choice_of(request), request.spec.flavour)
        yield Stage(f"tests on {label}", seconds)


def _name(kernels: Kernels, position: int) -> str:
    """What to call a kernel in a list: without the subject of its last patch."""
    if position == kernels.positions[0]:
        return "the base"
    return "the series" if position == kernels.positions[-1] else f"patch {position}"


def _build_seconds(spec: KernelSpec, cached: Mapping[str, Kernel]) -> float | None:
    """The median of builds of that flavour, with a series or without: that is a rebuild or all."""
    seconds = [
        one.seconds
        for one in cached.values()
        if one.seconds and one.flavour == spec.flavour and bool(one.series) == bool(spec.series)
    ]
    return median(seconds) if seconds else None


def _about(seconds: float | None) -> str:
    if seconds is None:
        return "(not known)"
    return f"{seconds:.0f} s" if seconds < LONG else f"{seconds / 60:.0f} min"
