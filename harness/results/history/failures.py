# SPDX-License-Identifier: Apache-2.0
"""Since when a test fails, and what changed then."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from harness.base.result import Result
from harness.results.history.history import History
from harness.results.history.queries import Appearance, RunHead, appearances
from harness.results.history.tracks import ProvenanceChange, Track, differences, track_of

BAD = frozenset(one for one in Result if one.against_kernel)
"""Results that speak against a kernel."""

GOOD = frozenset({Result.PASS, Result.KNOWN})
"""Results that are good for a kernel; ERROR, SKIP and NOT_JUDGED say nothing about it."""


@dataclass(frozen=True)
class Standing:
    """The results of a test on one track, without ERROR, SKIP and NOT_JUDGED.

    *bad* of *judged* results were bad. *latest* is the newest. If that is bad, *first_bad* is the
    oldest since *last_good*; else it is None. *last_good* is None if no result was good.
    """

    test: str
    track: Track
    judged: int
    bad: int
    latest: Appearance
    first_bad: Appearance | None
    last_good: Appearance | None


@dataclass(frozen=True)
class Regression:
    """A test that got worse: the first bad run, and the last good one before it.

    If its track has no good one before, *good* is the most similar of another, and *same_track*
    is false; None if the test was never good anywhere. *over*: it is good again.
    """

    test: str
    track: Track
    good: RunHead | None
    bad: RunHead
    same_track: bool
    over: bool
    differences: tuple[ProvenanceChange, ...]


def standings(history: History, test: str) -> list[Standing]:
    """A standing for each track on which *test* was judged; that with the newest run first."""
    tracks = [(track, times) for track, times in _tracks(appearances(history, test))]
    found = [_standing(test, track, times) for track, times in tracks]
    return sorted(found, key=lambda one: one.latest.head.begin, reverse=True)


def regressions(history: History, test: str) -> list[Regression]:
    """For each track on which *test* was ever bad, its last change from good to bad."""
    times = appearances(history, test)
    good = [one for one in times if one.result in GOOD]
    found = [_change(test, track, own, good) for track, own in _tracks(times) if _last_streak(own)]
    return sorted(found, key=lambda one: (one.over, one.bad.begin))


def _tracks(times: Sequence[Appearance]) -> list[tuple[Track, list[Appearance]]]:
    tracks: dict[Track, list[Appearance]] = {}
    for one in times:
        if one.result in GOOD | BAD:
            tracks.setdefault(track_of(one.head.provenance), []).append(one)
    return list(tracks.items())


def _last_streak(times: Sequence[Appearance]) -> range:
    """The newest sequence of bad results, as indices; empty if none is bad."""
    end = next((n for n in range(len(times), 0, -1) if times[n - 1].result in BAD), 0)
    begin = next((n for n in range(end, 0, -1) if times[n - 1].result in GOOD), 0)
    return range(begin, end)


def _standing(test: str, track: Track, times: Sequence[Appearance]) -> Standing:
    good = [one for one in times if one.result in GOOD]
    streak, fails = _last_streak(times), times[-1].result in BAD
    return Standing(
        test=test,
        track=track,
        judged=len(times),
        bad=len(times) - len(good),
        latest=times[-1],
        first_bad=times[streak.start] if fails else None,
        last_good=good[-1] if good else None,
    )


def _change(
    test: str, track: Track, times: Sequence[Appearance], good: Sequence[Appearance]
) -> Regression:
    streak = _last_streak(times)
    bad = times[streak.start].head
    before = times[streak.start - 1].head if streak.start else _most_similar(bad, good)
    return Regression(
        test=test,
        track=track,
        good=before,
        bad=bad,
        same_track=streak.start > 0,
        over=streak.stop < len(times),
        differences=differences(before.provenance, bad.provenance) if before else (),
    )


def _most_similar(bad: RunHead, good: Sequence[Appearance]) -> RunHead | None:
    """The run with the fewest differences, then the nearest in time, before or after."""

    def distance(head: RunHead) -> tuple[int, float]:
        between = datetime.fromisoformat(head.begin) - datetime.fromisoformat(bad.begin)
        return len(differences(head.provenance, bad.provenance)), abs(between.total_seconds())

    return min((one.head for one in good), key=distance, default=None)
