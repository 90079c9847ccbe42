# SPDX-License-Identifier: Apache-2.0
"""How a job's work is done: by the suite on a kernel, or by whatever a plan names instead."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from harness.base.cache import Cache, digest
from harness.base.errors import InputError
from harness.kernel import KernelSpec, build_initramfs, build_kernel
from harness.kernel.build.build import plan_kernel
from harness.kernel.source.sources import pin_source
from harness.machine.binary import find_qemu
from harness.results import Run, SuiteRequest, run_suite
from harness.results.identity import basis
from harness.results.request import choice_of


@dataclass(frozen=True)
class Found:
    """The kernel that a description means now: its key, title, and patches (name, text)."""

    key: str
    title: str
    patches: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Binary:
    """A QEMU: *key* is of this very file, *banner* the same on all machines that have its like."""

    key: str
    banner: str


class Runner(Protocol):
    """What a plan's ``runner = "module:NAME"`` leads to."""

    def pin(self, source: str) -> str:
        """The kernel that *source* means now, as a source that will keep that meaning."""

    def look(self, spec: KernelSpec) -> Found:
        """Find out which kernel *spec* means, without building it."""

    def basis(self, request: SuiteRequest) -> str:
        """A hash of what decides, beside the kernel and QEMU, how the tests of *request* end."""

    def qemu(self, program: str) -> Binary:
        """Identify the QEMU that *program* is on this machine."""

    def build(self, spec: KernelSpec) -> None:
        """Build the kernel, and share it with other machines if there is a store."""

    def run(self, request: SuiteRequest, log: Path) -> Run:
        """Run the tests to their end."""


class SuiteRunner:
    """The suite, in a process of its own."""

    def pin(self, source: str) -> str:
        """See :class:`Runner`."""
        return pin_source(source)

    def look(self, spec: KernelSpec) -> Found:
        """See :class:`Runner`."""
        plan = plan_kernel(spec)
        patches = tuple((patch.name, patch.text) for patch in plan.patches)
        return Found(plan.key, plan.source.title, patches)

    def basis(self, request: SuiteRequest) -> str:
        """See :class:`Runner`."""
        return digest(*choice_of(request), basis(request.tests))

    def qemu(self, program: str) -> Binary:
        """See :class:`Runner`."""
        found = find_qemu(program)
        return Binary(found.key, found.banner)

    def build(self, spec: KernelSpec) -> None:
        """See :class:`Runner`."""
        kernel = build_kernel(spec)
        Cache("kernels").share(kernel.key)
        Cache("initramfs").share(build_initramfs(kernel, spec).key)

    def run(self, request: SuiteRequest, log: Path) -> Run:
        """See :class:`Runner`."""
        return run_suite(request, log)


SUITE = SuiteRunner()


def find_runner(name: str) -> Runner:
    """The runner that ``module:NAME`` leads to; InputError if it does not."""
    module, _, attribute = name.partition(":")
    try:
        return cast(Runner, getattr(import_module(module), attribute))
    except (ImportError, AttributeError, ValueError) as fault:
        raise InputError(f"cannot load the runner '{name}': {fault}.") from fault
