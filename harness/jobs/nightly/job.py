# SPDX-License-Identifier: Apache-2.0
"""A job: some tests on one kernel and one QEMU; its key covers all that its results depend on."""

from dataclasses import dataclass

from harness.results import SuiteRequest


@dataclass(frozen=True)
class Job:
    """What to run. The first five are the plan's names; *title* is the source that was found.

    *kernel_key* names the kernel in the cache, *basis* is a hash of the tests and of what they
    depend on, *key* one of both and QEMU, without the plan's names. *slots* and *expect* are as in
    a group of tests.
    """

    kernel: str
    series: str
    flavour: str
    qemu: str
    group: str
    title: str
    request: SuiteRequest
    kernel_key: str
    key: str
    basis: str
    priority: int = 0
    slots: int = 1
    expect: float = 0.0

    @property
    def name(self) -> str:
        """The plan's names in one word."""
        return "/".join((self.kernel, self.series, self.flavour, self.qemu, self.group))

    @property
    def course(self) -> str:
        """The names without kernel and series: jobs with equal ones take about as long."""
        return "/".join((self.flavour, self.qemu, self.group))
