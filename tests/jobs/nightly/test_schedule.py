# SPDX-License-Identifier: Apache-2.0
"""Which job is next: by priority, a kernel's jobs together, and only what still fits."""

import pytest

from harness.jobs.nightly.job import Job
from harness.jobs.nightly.schedule import in_order, next_job
from harness.kernel import KernelSpec
from harness.results import SuiteRequest

REQUEST = SuiteRequest(KernelSpec(fragments=()))


def job(kernel: str, group: str = "quick", priority: int = 0, expect: float = 0.0) -> Job:
    names = (kernel, "plain", "plain", "qemu", group, kernel)
    key = f"{kernel}-{group}"
    return Job(*names, REQUEST, kernel, key, "basis", priority, expect=expect)


@pytest.mark.parametrize(
    ("jobs", "order"),
    [
        ([job("a"), job("b"), job("c", priority=1)], "cab"),
        ([job("a"), job("b"), job("a", "slow")], "aab"),
        ([job("a"), job("b", priority=1), job("a", "slow", priority=1)], "baa"),
        ([job("b", priority=-1), job("a")], "ab"),
    ],
    ids=["priority", "one kernel together", "priority beats that", "below zero"],
)
def test_the_order_of_jobs(jobs: list[Job], order: str) -> None:
    assert "".join(one.kernel for one in in_order(jobs)) == order


LONG, SHORT = job("a", "long", expect=100), job("b", "short", expect=10)
SEEN = {LONG.course: 5.0}


@pytest.mark.parametrize(
    ("left", "seen", "found"),
    [
        (None, {}, LONG),
        (100, {}, LONG),
        (99, {}, SHORT),
        (9, {}, None),
        (9, SEEN, LONG),
        (0, SEEN, None),
        (-1, {}, None),
    ],
    ids=["no limit", "just fits", "the shorter one", "none", "as seen", "no time", "over time"],
)
def test_a_job_is_begun_if_it_is_expected_to_end(
    left: float | None, seen: dict[str, float], found: Job | None
) -> None:
    assert next_job([LONG, SHORT], seen, left) is found


def test_what_was_never_seen_is_tried_while_there_is_any_time() -> None:
    unknown = job("a")

    assert next_job([unknown], {}, 0.5) is unknown
    assert next_job([unknown], {}, 0.0) is None


def test_nothing_is_next_when_all_is_done() -> None:
    assert next_job([], {}, None) is None
