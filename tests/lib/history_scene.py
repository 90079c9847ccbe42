# SPDX-License-Identifier: Apache-2.0
"""Runs as the history knows them, made up."""

from dataclasses import replace

from made_up_provenance import provenance

from harness.base.result import Result
from harness.results import Case, Run

TEST = "harness/suite/test_a.py::test_b[edu-1]"
OTHER = "harness/suite/test_a.py::test_c"

WHERE = provenance(kernel_key="key1", build_id="c0ffee", config="config1", compiler="gcc 12")


def day(number: int) -> str:
    """A run's *begin* on that day of a November."""
    return f"2026-11-{number:02}T00:00:00.000+00:00"


def run_on(number: int, result: str = "PASS", **changed: object) -> Run:
    """A run on a day, in which TEST ended with *result* and OTHER passed; *changed* provenance."""
    tests = (
        Case(TEST, Result(result), message="one\nline", properties=("B1",), seconds=float(number)),
        Case(OTHER, Result.PASS, seconds=0.5),
    )
    where = replace(WHERE, **changed)  # type: ignore[arg-type] - fields by name
    return Run(where, day(number), 100.0, ("--tier=default",), tests, id=f"{number:032x}")
