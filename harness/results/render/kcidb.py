# SPDX-License-Identifier: Apache-2.0
"""KCIDB's JSON, schema 5.3 (kcidb_io/schema/v05_03.py): what kernel CI systems exchange.

==========  ======  =============================================================================
here        there   because
==========  ======  =============================================================================
PASS        PASS
FAIL        FAIL
CRASH       FAIL    the guest died during the test
HANG        FAIL    the guest made no progress
KNOWN       FAIL    with an incident, which leads to an issue: a finding of this kernel
ERROR       ERROR   the test did not complete, and says nothing about the kernel
NOT_JUDGED  MISS    the kernel did not get that far
SKIP        SKIP    the test does not apply to this kernel
absent      MISS    the run ended before its turn (only where another run has the test)
==========  ======  =============================================================================
"""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from harness.base.errors import InputError
from harness.results import Case, Run
from harness.results.judge import Comparison, sides
from harness.results.render.artifacts import Artifacts

VERSION = {"major": 5, "minor": 3}

STATUS = {
    "PASS": "PASS",
    "FAIL": "FAIL",
    "CRASH": "FAIL",
    "HANG": "FAIL",
    "KNOWN": "FAIL",
    "ERROR": "ERROR",
    "SKIP": "SKIP",
    "NOT_JUDGED": "MISS",
}

ORIGIN = re.compile(r"[a-z0-9_]+")
DEFAULT_ORIGIN = "restricted_dma_harness"

EXCERPT = 16384
"""Bytes of a log that a report may hold (kcidb's guidelines for log_excerpt)."""


def kcidb(
    subject: Run | Comparison, origin: str, artifacts: Mapping[str, Artifacts] | None = None
) -> dict[str, Any]:
    """The runs of *subject* as checkouts, builds and tests of CI system *origin* (``[a-z0-9_]+``).

    *artifacts* is by its directory. Raises InputError for an invalid *origin*.
    """
    if not ORIGIN.fullmatch(origin):
        raise InputError(f"an origin is made of a-z, 0-9 and _, as kcidb wants it; not '{origin}'")
    runs = list(sides(subject).values())
    every = dict.fromkeys(one.test for run in runs for one in run.tests)
    tests = [test for run in runs for test in _tests(run, origin, every, artifacts or {})]
    known = {one.test: one for run in runs for one in run.tests if one.result == "KNOWN"}
    content: dict[str, Any] = {
        "version": VERSION,
        "checkouts": _unique(_checkout(run, origin) for run in runs),
        "builds": _unique(_build(run, origin) for run in runs),
        "tests": tests,
    }
    if known:
        content["issues"] = [_issue(test, origin) for test in known]
        content["incidents"] = list(_incidents(runs, origin))
    return content


def _unique(items: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({item["id"]: item for item in items}.values())


def _checkout_id(run: Run, origin: str) -> str:
    where = run.provenance
    words = "\0".join((where.source, where.release, *where.series))
    return f"{origin}:{hashlib.sha256(words.encode()).hexdigest()[:24]}"


def _checkout(run: Run, origin: str) -> dict[str, Any]:
    where = run.provenance
    series = f" with {', '.join(where.series)}" if where.series else ""
    checkout: dict[str, Any] = {
        "id": _checkout_id(run, origin),
        "origin": origin,
        "comment": f"{where.source}, Linux {where.release}{series}",
        "start_time": run.begin,
        "valid": True,
        "misc": {"source": where.source, "release": where.release, "series": list(where.series)},
    }
    # "" is kcidb's word for no patches; the hash of some needs their text, which a run has not
    return checkout if where.series else {**checkout, "patchset_hash": ""}


def _build_id(run: Run, origin: str) -> str:
    return f"{origin}:{run.provenance.kernel_key}"


def _build(run: Run, origin: str) -> dict[str, Any]:
    where = run.provenance
    return {
        "id": _build_id(run, origin),
        "checkout_id": _checkout_id(run, origin),
        "origin": origin,
        "architecture": "arm64",
        "compiler": where.compiler,
        "config_name": where.flavour or "harness",
        "status": "PASS",
        "misc": {"build_id": where.build_id, "config_hash": where.config},
    }


def _tests(
    run: Run, origin: str, every: Mapping[str, Any], artifacts: Mapping[str, Artifacts]
) -> Iterator[dict[str, Any]]:
    for number, outcome in enumerate(run.tests):
        yield _test(run, origin, number, outcome, artifacts.get(outcome.artifacts))
    if not run.complete:
        done = {one.test for one in run.tests}
        for number, test in enumerate((one for one in every if one not in done), len(run.tests)):
            yield {**_head(run, origin, number, test), "status": "MISS"}


def _head(run: Run, origin: str, number: int, test: str) -> dict[str, Any]:
    return {
        "id": f"{origin}:{run.id}-{number}",
        "build_id": _build_id(run, origin),
        "origin": origin,
        "path": test_path(test),
        "comment": test,
        "start_time": run.begin,
        "environment": {
            "compatible": ["linux,dummy-virt"],
            "comment": run.provenance.qemu,
            "misc": {"host": run.provenance.host, "harness": run.provenance.harness},
        },
    }


def _test(
    run: Run, origin: str, number: int, outcome: Case, artifacts: Artifacts | None
) -> dict[str, Any]:
    test = {
        **_head(run, origin, number, outcome.test),
        "status": STATUS[outcome.result],
        "duration": round(outcome.seconds, 3),
        "misc": {
            "result": outcome.result,
            "properties": list(outcome.properties),
            "broken": list(outcome.violated),
            "message": outcome.message,
            "violations": [{**asdict(one), "text": str(one)} for one in outcome.violations],
            "notices": list(outcome.notices),
            "kernel_reports": list(artifacts.titles) if artifacts else [],
        },
    }
    if artifacts and (excerpt := artifacts.excerpt(EXCERPT)):
        test["log_excerpt"] = excerpt.replace("\0", "")
    return test


def test_path(test: str) -> str:
    """A test's path in kcidb's tree: ``restricted_dma``, file, function, parameters."""
    file, _, name = test.partition("::")
    parts = (file.rpartition("/")[2].removesuffix(".py"), *name.rstrip("]").split("[", 1))
    words = (re.sub(r"[^A-Za-z0-9_-]+", "_", part).strip("_") for part in parts)
    return ".".join(("restricted_dma", *(word for word in words if word)))


def _issue_id(test: str, origin: str) -> str:
    return f"{origin}:known-{test_path(test).removeprefix('restricted_dma.')}"


def _issue(test: str, origin: str) -> dict[str, Any]:
    return {
        "id": _issue_id(test, origin),
        "version": 1,
        "origin": origin,
        "comment": f"known of some kernels (docs/findings.md): {test}",
        "culprit": {"code": True, "tool": False, "harness": False},
    }


def _incidents(runs: Sequence[Run], origin: str) -> Iterator[dict[str, Any]]:
    for run in runs:
        for number, outcome in enumerate(run.tests):
            if outcome.result == "KNOWN":
                yield {
                    "id": f"{origin}:{run.id}-{number}-known",
                    "origin": origin,
                    "issue_id": _issue_id(outcome.test, origin),
                    "issue_version": 1,
                    "test_id": f"{origin}:{run.id}-{number}",
                    "present": True,
                }
