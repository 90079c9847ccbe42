# SPDX-License-Identifier: Apache-2.0
"""The table of the kinds of things in the cache is complete."""

import re

from harness.base.cache.kinds import KINDS, kind_of
from harness.base.cache.layout import FAILURES
from harness.base.paths import CHECKOUT

_CACHE = re.compile(r'\bCache\("([^"]+)"\)')


def test_each_kind_that_the_harness_caches_is_in_the_table() -> None:
    files = (CHECKOUT / "harness").rglob("*.py")
    used = {kind for file in files for kind in _CACHE.findall(file.read_text())}

    assert "kernels" in used
    assert used <= {*KINDS}


def test_each_kind_says_what_it_is() -> None:
    assert all(one.content for one in KINDS.values())


def test_what_takes_longer_to_make_is_worth_more() -> None:
    names = ("parked", "builds", "kernels", FAILURES)
    worths = [kind_of(name).worth for name in names]

    assert worths == sorted({*worths})
