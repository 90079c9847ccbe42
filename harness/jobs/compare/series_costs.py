# SPDX-License-Identifier: Apache-2.0
"""What a series changes in the instructions of DMA API calls, and in the bytes that they copy."""

from harness.jobs.cost import CostChange, compare_costs, measure_costs
from harness.kernel import build_initramfs, build_kernel
from harness.machine.binary import find_qemu
from harness.machine.environment import Environment
from harness.results import SuiteRequest


def series_costs(base: SuiteRequest, patched: SuiteRequest) -> tuple[CostChange, ...]:
    """The costs that differ between the kernels of two requests, the largest growth first.

    Raises HarnessError if QEMU counts no instructions.
    """
    before, after = (tuple(measure_costs(_environment(one))) for one in (base, patched))
    return compare_costs(before, after)


def _environment(request: SuiteRequest) -> Environment:
    kernel = build_kernel(request.spec)
    return Environment(find_qemu(request.qemu), kernel, build_initramfs(kernel, request.spec))
