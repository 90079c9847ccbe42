# SPDX-License-Identifier: Apache-2.0
"""The trial of a mutant: build it, run the suite on it, remember the verdict, tidy up."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from harness.base.cache import Cache, digest
from harness.base.progress import step
from harness.jobs.mutants.mutant import Mutant
from harness.jobs.mutants.suite import SuiteRun
from harness.jobs.mutants.verdict import Judgement, Verdict, load_verdict, weigh
from harness.kernel import Kernel, build_initramfs, build_kernel
from harness.kernel.build.build import plan_kernel
from harness.machine.qemu.snapshot import forget_guests
from harness.results.case import Case
from harness.results.identity import is_test, source_files, source_name

FORMAT = "2"
"""Raised when mutants are to be judged differently than before."""

VERDICTS = Cache("verdicts")


def judge(mutant: Mutant, *, again: bool = False) -> Verdict:
    """Return the verdict on *mutant*, from the cache if nothing changed that it depends on.

    Nothing is remembered of a trial that did not come to its end. Raises BuildError if the
    mutant does not compile, SeriesError if it does not apply, HarnessError if it could not be
    judged.
    """
    key = _key(mutant)
    if again or not _holds(VERDICTS.find(key)):
        VERDICTS.remove(key)
    return load_verdict(VERDICTS.get(key, partial(_try, mutant)))


def _holds(entry: Path | None) -> bool:
    """Whether there is a verdict, and the tests that it rests on are what they were."""
    if entry is None:
        return False
    verdict = load_verdict(entry)
    return verdict.tests == _deciding(verdict.judgement, verdict.failed)


def _deciding(judgement: Judgement, failed: Sequence[Case]) -> dict[str, str]:
    """The test files that a verdict rests on, and what they are now.

    To kill takes one test; that all others say nothing is said by every file.
    """
    names = {file: path for path in source_files() if is_test(file := source_name(path))}
    if judgement is Judgement.KILLED:
        killers = {one.test.partition("::")[0] for one in failed}
        names = {file: path for file, path in names.items() if file in killers}
    return {file: digest(path) for file, path in names.items()}


def _try(mutant: Mutant, directory: Path) -> None:
    begin = time.monotonic()
    kernel = build_kernel(mutant.spec)
    build_initramfs(kernel, mutant.spec)
    built = time.monotonic()
    try:
        with step(f"suite on {mutant.name}"):
            failed = SuiteRun(mutant, directory).failures()
    finally:
        _tidy(kernel)
    judgement, times = weigh(mutant, failed), (built - begin, time.monotonic() - built)
    tests = _deciding(judgement, failed)
    Verdict(mutant.name, judgement, tuple(failed), *times, tests).save(directory)


def _tidy(kernel: Kernel) -> None:
    """Nobody needs a mutant any more that is judged; it takes 70 MB, and each guest 20."""
    forget_guests(kernel.key)
    Cache("kernels").remove(kernel.key)


def _key(mutant: Mutant) -> str:
    """Names the kernel, what is expected of it, and everything around the tests."""
    around = [path for path in source_files() if not is_test(source_name(path))]
    return digest(
        FORMAT,
        plan_kernel(mutant.spec).key,
        " ".join((mutant.kind, mutant.tier, *mutant.breaks)),
        *(part for path in around for part in (source_name(path), path)),
    )
