# SPDX-License-Identifier: Apache-2.0
"""A session of VM tests ends with an exit code of ours, whatever pytest's own is."""

import sys
from collections.abc import Generator

import pytest

from harness.plugin.session import wants_guests
from harness.results.verdict import Verdict, known_exit_code

Code = int | pytest.ExitCode | None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(
    config: pytest.Config,
) -> Generator[None, Code, Code]:
    """Map internal errors, and tests that do not exist, to "not judged".

    An option that pytest itself rejects comes before this hook: scripts/suite.py.
    """
    if not wants_guests(config):
        return (yield)
    try:
        code = yield
    except pytest.UsageError as fault:
        for line in fault.args:
            sys.stderr.write(f"ERROR: {line}\n")
        return Verdict.NOT_JUDGED.exit_code
    return code if code is None else known_exit_code(int(code))
