# SPDX-License-Identifier: Apache-2.0
"""A line of kernels is halved, and what cannot be judged is gone around."""

import pytest

from harness.jobs.bisect.search import Found, Word, next_of


@pytest.mark.parametrize("first_bad", range(1, 10))
def test_a_line_is_halved_until_its_first_bad_one_is_found(first_bad: int) -> None:
    names = [str(number) for number in range(10)]
    known = {"0": Word.GOOD, "9": Word.BAD}

    while isinstance(name := next_of(names, known), str):
        known[name] = Word.BAD if int(name) >= first_bad else Word.GOOD

    assert name == Found((str(first_bad),))
    assert len(known) <= 2 + 4


def test_what_is_skipped_is_gone_around() -> None:
    known = {"0": Word.GOOD, "4": Word.BAD, "2": Word.SKIP}

    assert next_of("01234", known) == "1"
    assert next_of("01234", {**known, "1": Word.GOOD}) == "3"
    assert next_of("01234", {**known, "1": Word.GOOD, "3": Word.BAD}) == Found(("2", "3"))
    assert next_of("01234", {**known, "1": Word.BAD}) == Found(("1",))
