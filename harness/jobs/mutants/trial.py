# SPDX-License-Identifier: Apache-2.0
"""Try a mutant: build it, run the suite on it, keep the trial in the cache."""

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from harness.base.cache import Cache, digest
from harness.base.cache.lease import leases
from harness.base.progress import step
from harness.jobs.mutants.mutant import Mutant
from harness.jobs.mutants.mutant_trial import Judgement, MutantTrial, load_trial, weigh
from harness.jobs.mutants.suite_on_mutant import SuiteRun
from harness.kernel import build_initramfs, build_kernel
from harness.kernel.build.build import plan_kernel
from harness.results.case import Case
from harness.results.identity import files_behind, is_test, source_name, test_files

FORMAT = "2"
"""Increased when the way that mutants are judged changes."""

VERDICTS = Cache("verdicts")


def try_mutant(mutant: Mutant, *, again: bool = False) -> MutantTrial:
    """Return the trial of *mutant*, from the cache if nothing that it depends on has changed.

    A trial that was interrupted is not kept. Raises BuildError if the mutant does not compile,
    SeriesError if it does not apply, HarnessError if it cannot be judged.
    """
    with leases():  # the next mutant's kernel may evict this one's
        key = _key(mutant)
        if again or not _holds(VERDICTS.find(key)):
            VERDICTS.remove(key)
        return load_trial(VERDICTS.get(key, partial(_try, mutant)))


def _holds(entry: Path | None) -> bool:
    """Whether there is a trial, and the tests that it depends on have not changed."""
    if entry is None:
        return False
    trial = load_trial(entry)
    return trial.tests == _deciding(trial.judgement, trial.failed)


def _deciding(judgement: Judgement, failed: Sequence[Case]) -> dict[str, str]:
    """The test files that a judgement depends on, with their hashes.

    KILLED depends on the tests that failed, every other judgement on all tests.
    """
    names = {source_name(path): path for path in test_files()}
    if judgement is Judgement.KILLED:
        killers = {one.test.partition("::")[0] for one in failed}
        names = {file: path for file, path in names.items() if file in killers}
    return {file: digest(path) for file, path in names.items()}


def _try(mutant: Mutant, directory: Path) -> None:
    begin = time.monotonic()
    kernel = build_kernel(mutant.spec)
    build_initramfs(kernel, mutant.spec)
    built = time.monotonic()
    with step(f"suite on {mutant.name}"):
        failed = SuiteRun(mutant, directory).failures()
    judgement, times = weigh(mutant, failed), (built - begin, time.monotonic() - built)
    tests = _deciding(judgement, failed)
    MutantTrial(mutant.name, judgement, tuple(failed), *times, tests).save(directory)


def _key(mutant: Mutant) -> str:
    """Key of the kernel, of what the mutant breaks, and of all sources but the tests."""
    around = [path for path in files_behind() if not is_test(source_name(path))]
    return digest(
        FORMAT,
        plan_kernel(mutant.spec).key,
        " ".join((mutant.kind, mutant.tier, *mutant.breaks)),
        *(part for path in around for part in (source_name(path), path)),
    )
