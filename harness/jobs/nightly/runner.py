# SPDX-License-Identifier: Apache-2.0
"""What runs a job: the suite, or the runner that a plan names."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Protocol, cast

from harness.base.cache import Cache
from harness.base.cache.lease import leases
from harness.base.errors import InputError
from harness.kernel import KernelSpec, build_initramfs, build_kernel
from harness.kernel.build.build import find_kernel
from harness.kernel.source.sources import pin_source
from harness.machine.binary import find_qemu
from harness.results import Run, SuiteRequest, run_suite
from harness.results.identity import basis_of


@dataclass(frozen=True)
class FoundKernel:
    """The kernel of a spec, as of now: its key, title, and patches (name, text)."""

    key: str
    title: str
    patches: tuple[tuple[str, bytes], ...] = ()


@dataclass(frozen=True)
class Binary:
    """A QEMU: *key* is a hash of the file, *banner* its ``--version``, equal across machines."""

    key: str
    banner: str


class Runner(Protocol):
    """The interface of a plan's ``runner = "module:NAME"``."""

    def pin(self, source: str) -> str:
        """*source* with its version or commit fixed."""

    def look(self, spec: KernelSpec) -> FoundKernel:
        """Find out which kernel *spec* means, without building it."""

    def basis(self, request: SuiteRequest) -> str:
        """A hash of what the results of *request* depend on, beside kernel and QEMU."""

    def qemu(self, program: str) -> Binary:
        """Identify the QEMU that *program* is on this machine."""

    def build(self, spec: KernelSpec) -> None:
        """Build the kernel, and share it with other machines if there is a store."""

    def run(self, request: SuiteRequest, log: Path) -> Run:
        """Run the tests to their end."""


class SuiteRunner:
    """Runs the suite in another process."""

    def pin(self, source: str) -> str:
        """See :class:`Runner`."""
        return pin_source(source)

    def look(self, spec: KernelSpec) -> FoundKernel:
        """See :class:`Runner`."""
        found = find_kernel(spec)
        patches = tuple((patch.name, patch.text) for patch in found.patches)
        return FoundKernel(found.key, found.title, patches)

    def basis(self, request: SuiteRequest) -> str:
        """See :class:`Runner`."""
        return basis_of(request)

    def qemu(self, program: str) -> Binary:
        """See :class:`Runner`."""
        found = find_qemu(program)
        return Binary(found.key, found.banner)

    def build(self, spec: KernelSpec) -> None:
        """See :class:`Runner`."""
        with leases():
            kernel = build_kernel(spec)
            Cache("kernels").share(kernel.key)
            Cache("initramfs").share(build_initramfs(kernel, spec).key)

    def run(self, request: SuiteRequest, log: Path) -> Run:
        """See :class:`Runner`."""
        return run_suite(request, log)


SUITE = SuiteRunner()


def find_runner(name: str) -> Runner:
    """Import the runner ``module:NAME``; raises InputError if that fails."""
    module, _, attribute = name.partition(":")
    try:
        return cast(Runner, getattr(import_module(module), attribute))
    except (ImportError, AttributeError, ValueError) as fault:
        raise InputError(f"cannot load the runner '{name}': {fault}.") from fault
