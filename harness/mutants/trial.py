# SPDX-License-Identifier: Apache-2.0
"""The trial of a mutant: build it, run the suite on it, remember the verdict, tidy up."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from harness.cache import Cache, digest
from harness.kernel import Kernel, build_initramfs, build_kernel
from harness.kernel.build import plan_kernel
from harness.mutants.mutant import Mutant
from harness.mutants.suite import SuiteRun
from harness.mutants.verdict import Verdict, load_verdict, weigh
from harness.paths import CHECKOUT
from harness.progress import step
from harness.vm.snapshot import forget_guests

FORMAT = "1"
"""Raised when mutants are to be judged differently than before."""

VERDICTS = Cache("verdicts")

SOURCES = (
    *("guest", "dts", "harness/suite", "harness/plugin", "harness/dma", "harness/memory"),
    *("harness/rogue", "harness/vm", "harness/devicetree"),
)
"""What decides, beside the kernel, how a test ends."""


def judge(mutant: Mutant, *, again: bool = False) -> Verdict:
    """Return the verdict on *mutant*, from the cache if nothing changed that it depends on.

    Nothing is remembered of a trial that did not come to its end. Raises BuildError if the
    mutant does not compile, SeriesError if it does not apply, HarnessError if it could not be
    judged.
    """
    key = _key(mutant)
    if again:
        VERDICTS.remove(key)
    return load_verdict(VERDICTS.get(key, partial(_try, mutant)))


def _try(mutant: Mutant, directory: Path) -> None:
    begin = time.monotonic()
    kernel = build_kernel(mutant.spec)
    build_initramfs(kernel, mutant.spec)
    built = time.monotonic()
    try:
        with step(f"suite on {mutant.name}"):
            run = SuiteRun(mutant, directory)
            failed = (mutant.breaks and run.failures(mutant.breaks)) or run.failures()
    finally:
        _tidy(kernel)
    times = built - begin, time.monotonic() - built
    Verdict(mutant.name, weigh(mutant, failed), tuple(failed), *times).save(directory)


def _tidy(kernel: Kernel) -> None:
    """Nobody needs a mutant any more that is judged; it takes 70 MB, and each guest 20."""
    forget_guests(kernel.key)
    Cache("kernels").remove(kernel.key)


def _key(mutant: Mutant) -> str:
    return digest(
        FORMAT,
        plan_kernel(mutant.spec).key,
        " ".join((mutant.kind, mutant.tier, *mutant.breaks)),
        *_names_and_files(),
    )


def _names_and_files() -> Iterator[str | Path]:
    for folder in SOURCES:
        for file in sorted((CHECKOUT / folder).rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                yield str(file.relative_to(CHECKOUT))
                yield file
