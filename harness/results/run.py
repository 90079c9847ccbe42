# SPDX-License-Identifier: Apache-2.0
"""One run of the suite on one kernel, as data: its provenance, and how each test ended."""

import platform
import subprocess
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import uuid4

from harness.base.cache import digest
from harness.base.paths import CHECKOUT
from harness.kernel import Kernel
from harness.machine.binary import Qemu
from harness.results.case import Case, case_from


@dataclass(frozen=True)
class Provenance:
    """Where the kernel of a run, and all that it ran on, came from.

    *kernel_key* names the kernel in the cache, and so everything that went into it; *config* is a
    hash of the whole configuration; *series* are the patches' names in order; *harness* is
    ``git describe`` of this checkout, *qemu* the first line of ``--version``.
    """

    kernel_key: str
    release: str
    build_id: str
    source: str
    series: tuple[str, ...]
    config: str
    compiler: str
    flavour: str
    qemu: str
    harness: str
    host: str


@dataclass(frozen=True)
class Run:
    """How the tests of one run ended. *begin* is in UTC, in ISO 8601.

    *words* are the arguments of pytest that chose the tests, *request* all of its arguments.
    *complete* is false when pytest ended before the last test.
    """

    provenance: Provenance
    begin: str
    seconds: float
    words: tuple[str, ...]
    tests: tuple[Case, ...]
    complete: bool = True
    id: str = field(default_factory=lambda: uuid4().hex)
    request: tuple[str, ...] = ()

    def case(self, test: str) -> Case | None:
        """The test with that node id, None if it did not run."""
        return next((one for one in self.tests if one.test == test), None)


def provenance(kernel: Kernel, qemu: Qemu, flavour: str = "") -> Provenance:
    """Where *kernel*, *qemu* and this harness come from."""
    return Provenance(
        kernel_key=kernel.key,
        release=kernel.release,
        build_id=kernel.build_id,
        source=kernel.source,
        series=kernel.series,
        config=digest(kernel.config),
        compiler=kernel.compiler,
        flavour=flavour,
        qemu=qemu.banner,
        harness=_checkout(),
        host=platform.node(),
    )


def no_kernel() -> Provenance:
    """The provenance of a run without any kernel."""
    nothing: dict[str, Any] = {one.name: "" for one in fields(Provenance)}
    return Provenance(**{**nothing, "series": (), "harness": _checkout(), "host": platform.node()})


def now() -> str:
    """The current time, as a run's *begin*."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def run_from(content: dict[str, Any]) -> Run:
    """The run from *content*: ``dataclasses.asdict`` of a run, possibly through JSON."""
    tests = [case_from(one) for one in content["tests"]]
    rest = {name: value for name, value in content.items() if name not in ("provenance", "tests")}
    rest.update({name: tuple(rest.get(name, ())) for name in ("words", "request")})
    return Run(provenance=provenance_from(content["provenance"]), tests=tuple(tests), **rest)


def provenance_from(content: dict[str, Any]) -> Provenance:
    """The provenance from *content*: ``dataclasses.asdict`` of one, possibly through JSON."""
    return Provenance(**{**content, "series": tuple(content["series"])})


@cache
def _checkout() -> str:
    """``git describe`` of the checkout; "unknown" without git."""
    command = ["git", "-C", str(CHECKOUT), "describe", "--always", "--dirty"]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return ran.stdout.strip()
