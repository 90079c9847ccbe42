# SPDX-License-Identifier: Apache-2.0
"""Find the first bad kernel: test one after another, keep each answer, continue after a kill.

::

    bisect/KEY.json   the tests that decide, and every step so far; written after each
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from harness.base.cache import digest
from harness.base.disk import write_whole
from harness.base.errors import BuildError, ConfigError, InputError, SeriesError, SourceError
from harness.base.paths import cache_directory
from harness.base.progress import say, step
from harness.jobs.bisect.search import Candidate, Found, Known, SearchSpace, Word
from harness.jobs.compare.kernel_runs import Runner
from harness.results import Case, Run, SuiteRequest, command_of
from harness.results.case import case_from
from harness.results.judge import Shown, compare, shown
from harness.results.render.plain_text import tally
from harness.results.request import choice_of

UNBUILDABLE = (BuildError, ConfigError, SeriesError, SourceError)
"""Errors that skip a kernel; any other error stops the search, which can continue later."""


@dataclass(frozen=True)
class Asked:
    """A kernel that was tested: the answer, the reason if it was skipped, and its tests."""

    name: str
    word: Word
    reason: str = ""
    tests: tuple[Case, ...] = ()


@dataclass(frozen=True)
class State:
    """State of a search. *tests* decide; they are empty until both ends have been tested."""

    tests: tuple[str, ...] = ()
    asked: tuple[Asked, ...] = ()

    @property
    def known(self) -> Known:
        """By name, in order."""
        return {one.name: one.word for one in self.asked}


@dataclass(frozen=True)
class Bisection:
    """The end of a search, with all that led to it."""

    space: SearchSpace
    request: SuiteRequest
    state: State
    found: Found

    @property
    def first_bad(self) -> Candidate:
        """The first bad kernel; among several suspects, the one that was seen to be bad."""
        known = self.state.known
        bad = [name for name in self.found.suspects if known.get(name) is Word.BAD]
        return self.space.candidate(bad[0])

    @property
    def failures(self) -> tuple[Case, ...]:
        """The tests that fail on it."""
        asked = next(one for one in self.state.asked if one.name == self.first_bad.name)
        return tuple(one for one in asked.tests if fails([one]))

    @property
    def reproduce(self) -> str:
        """The command that runs the tests on the first bad kernel."""
        request = replace(
            self.request, spec=self.first_bad.spec, tests=self.state.tests, properties=(), match=""
        )
        return command_of(request)


def bisect(
    space: SearchSpace, request: SuiteRequest, runner: Runner, again: bool = False
) -> Bisection:
    """Find the first kernel of *space* on which the tests of *request* fail.

    The tests that pass on the good kernel and fail on the bad one decide; a known finding counts as
    a failure. Answers of an earlier search are used, unless *again*. Raises InputError if the good
    kernel is not good or the bad one not bad.
    """
    memory = SavedSearch(space, request)
    state = State() if again else memory.load()
    if not state.tests:
        state = _ask_ends(space, request, runner)
        memory.save(state)
    else:
        say(f"continuing with {len(state.asked)} answers of an earlier search in {memory.path}")
    while isinstance(name := space.next(state.known), str):
        asked = _ask(space.candidate(name), replace(request, tests=state.tests), runner)
        state = replace(state, asked=(*state.asked, asked))
        memory.save(state)
    return Bisection(space, request, state, name)


def kernels_to_ask(space: SearchSpace, request: SuiteRequest, again: bool = False) -> int:
    """How many kernels a search will ask, if each that it asks is bad; 0 if it has ended."""
    known = {} if again else dict(SavedSearch(space, request).load().known)
    ends = [one for one in (space.good, space.bad) if one not in known]
    known |= {space.good: Word.GOOD, space.bad: Word.BAD}
    before = len(known)
    while isinstance(name := space.next(known), str):
        known[name] = Word.BAD
    return len(ends) + len(known) - before


@dataclass(frozen=True)
class SavedSearch:
    """Where the state of a search is kept between runs."""

    space: SearchSpace
    request: SuiteRequest

    @property
    def path(self) -> Path:
        """The file; its name is a hash of the kernels, their configuration and the tests."""
        request = self.request
        words = (request.qemu, *choice_of(request), request.spec.flavour, request.spec.compiler)
        key = digest(self.space.identity, "\n".join(words), *request.spec.configuration)
        return cache_directory() / "bisect" / f"{key}.json"

    def load(self) -> State:
        """The saved state; an empty one if there is no file that can be read."""
        try:
            return _state_from(json.loads(self.path.read_text()))
        except (OSError, ValueError, KeyError, TypeError):
            return State()

    def save(self, state: State) -> None:
        """Write *state* in one step, so that a kill loses only the kernel that is being tested."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        asked = [{**asdict(one), "word": one.word.value} for one in state.asked]
        content = {"tests": state.tests, "asked": asked}
        write_whole(self.path, json.dumps(content, indent=1) + "\n")


def fails(cases: Iterable[Case]) -> bool:
    """Whether a test violates a property on a kernel, as a known finding or not."""
    return shown(cases) in (Shown.VIOLATED, Shown.MIXED, Shown.KNOWN)


def _state_from(content: Mapping[str, Any]) -> State:
    asked = tuple(
        Asked(
            one["name"],
            Word(one["word"]),
            one["reason"],
            tuple(case_from(test) for test in one["tests"]),
        )
        for one in content["asked"]
    )
    return State(tuple(content["tests"]), asked)


def _ask_ends(space: SearchSpace, request: SuiteRequest, runner: Runner) -> State:
    good, bad = (_run(space.candidate(name), request, runner) for name in (space.good, space.bad))
    differences = compare(good, bad).differences
    broken = tuple(
        one.test for one in differences if shown(one.base) is Shown.HELD and fails(one.patched)
    )
    if not broken:
        counts = (
            f"it has {tally(good.tests)}; {space.candidate(space.bad).title} has {tally(bad.tests)}"
        )
        raise InputError(
            f"no test passes on {space.candidate(space.good).title} and fails on the other: "
            f"{counts}. Expected a good and a bad kernel for the same test; for a series that "
            "repairs its own fault, a position in the middle ('harness validate --per-patch' "
            "shows it)."
        )
    say(f"decided by: {', '.join(broken)}")
    ends = (
        Asked(space.good, Word.GOOD, tests=_chosen(good, broken)),
        Asked(space.bad, Word.BAD, tests=_chosen(bad, broken)),
    )
    return State(broken, ends)


def _ask(candidate: Candidate, request: SuiteRequest, runner: Runner) -> Asked:
    try:
        run = _run(candidate, request, runner)
    except UNBUILDABLE as fault:
        asked = Asked(candidate.name, Word.SKIP, str(fault))
    else:
        asked = _judged(candidate.name, _chosen(run, request.tests), request.tests)
    reason = f": {asked.reason}" if asked.reason else ""
    say(f"{asked.word.value}: {candidate.title}{reason}")
    return asked


def _judged(name: str, outcomes: tuple[Case, ...], tests: Sequence[str]) -> Asked:
    if fails(outcomes):
        return Asked(name, Word.BAD, tests=outcomes)
    by_test = {test: [one for one in outcomes if one.test == test] for test in tests}
    if open_ := [test for test, ends in by_test.items() if shown(ends) is not Shown.HELD]:
        return Asked(name, Word.SKIP, f"no result of {', '.join(open_)}", outcomes)
    return Asked(name, Word.GOOD, tests=outcomes)


def _run(candidate: Candidate, request: SuiteRequest, runner: Runner) -> Run:
    with step(f"tests on {candidate.title}"):
        return runner(replace(request, spec=candidate.spec))


def _chosen(run: Run, tests: Sequence[str]) -> tuple[Case, ...]:
    return tuple(one for one in run.tests if one.test in tests)
