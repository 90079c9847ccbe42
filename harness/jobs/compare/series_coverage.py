# SPDX-License-Identifier: Apache-2.0
"""Which lines of a series the tests ran."""

from dataclasses import replace

from harness.jobs.coverage import make_report, measure, patch_lines
from harness.kernel.build.notes import DIRECTORY, SOURCES
from harness.results import SuiteRequest


def patch_coverage(request: SuiteRequest) -> tuple[str, ...]:
    """Run the tests of *request* on its kernel, built once more with gcov.

    Returns text for each file that the series adds to: how many of its added lines of code ran,
    and which did not. Raises what :func:`measure` raises.
    """
    measured = measure(replace(request, keep="none"))
    report = make_report(measured.kernel.directory, measured.lines)
    sources = measured.kernel.directory / DIRECTORY / SOURCES
    return tuple(line for one in report.patches for line in patch_lines(one, sources))
