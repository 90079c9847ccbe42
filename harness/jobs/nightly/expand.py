# SPDX-License-Identifier: Apache-2.0
"""Expand a plan to jobs: each source resolved once, each combination once."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

from harness.base.cache import digest
from harness.base.errors import HarnessError, explain
from harness.jobs.nightly.job import Job
from harness.jobs.nightly.plan import PLAIN, Cross, NightPlan
from harness.jobs.nightly.runner import FoundKernel, Runner
from harness.kernel import KernelSpec, default_fragments
from harness.results import SuiteRequest

FORMAT = "1"
"""Increased when verdicts of earlier versions are no longer valid."""


@dataclass(frozen=True)
class Lost:
    """A combination that cannot be a job, and why: its kernel or QEMU is not available."""

    name: str
    why: str


@dataclass(frozen=True)
class Expansion:
    """The jobs in the plan's order, and the combinations that cannot run."""

    jobs: tuple[Job, ...]
    lost: tuple[Lost, ...]


@dataclass
class _Resolver:
    """Cache of what was resolved: each kernel is looked up, and each file read, once."""

    plan: NightPlan
    runner: Runner
    pinned: dict[str, str] = field(default_factory=dict)
    found: dict[KernelSpec, FoundKernel] = field(default_factory=dict)
    bases: dict[str, str] = field(default_factory=dict)

    def spec(self, kernel: str, series: str, flavour: str) -> KernelSpec:
        choice = self.plan.kernels[kernel]
        if kernel not in self.pinned:
            self.pinned[kernel] = self.runner.pin(choice.source)
        return KernelSpec(
            self.pinned[kernel],
            self.plan.series[series],
            (*default_fragments(), *choice.config),
            "" if flavour == PLAIN else flavour,
            choice.compiler,
        )

    def look(self, spec: KernelSpec) -> FoundKernel:
        if spec not in self.found:
            self.found[spec] = self.runner.look(spec)
        return self.found[spec]

    def basis(self, group: str, request: SuiteRequest) -> str:
        if group not in self.bases:
            self.bases[group] = self.runner.basis(request)
        return self.bases[group]


def expand(plan: NightPlan, runner: Runner) -> Expansion:
    """Every job of *plan*; of two with the same key only that with the higher priority.

    A source that is not available costs only its own jobs.
    """
    resolver, jobs, lost = _Resolver(plan, runner), dict[str, Job](), dict[str, Lost]()
    for cross in plan.crosses:
        for names in _combinations(cross):
            try:
                job = _job(resolver, cross, *names)
            except HarnessError as fault:
                name = "/".join(names)
                lost[name] = Lost(name, explain(fault))
                continue
            known = jobs.get(job.key, job)
            jobs[job.key] = known if known.priority >= job.priority else job
    return Expansion(tuple(jobs.values()), tuple(lost.values()))


def _combinations(cross: Cross) -> Iterator[tuple[str, str, str, str, str]]:
    return product(cross.kernels, cross.series, cross.flavours, cross.qemus, cross.groups)


def _job(
    resolver: _Resolver, cross: Cross, kernel: str, series: str, flavour: str, qemu: str, group: str
) -> Job:
    tests, program = resolver.plan.groups[group], resolver.plan.qemus[qemu]
    spec = resolver.spec(kernel, series, flavour)
    found = resolver.look(spec)
    request = SuiteRequest(spec, program, tests.tier, tests.tests, tests.words)
    basis, binary = resolver.basis(group, request), resolver.runner.qemu(program).key
    return Job(
        *(kernel, series, flavour, qemu, group, found.title, request, found.key),
        key=digest(FORMAT, found.key, basis, binary),
        basis=basis,
        priority=cross.priority,
        slots=tests.slots,
        expect=tests.expect,
    )
