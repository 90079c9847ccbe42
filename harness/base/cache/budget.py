# SPDX-License-Identifier: Apache-2.0
"""The budget of the cache in bytes of disk space, and the shares of it that have a limit."""

import os

from harness.base.errors import InputError
from harness.base.paths import cache_directory
from harness.base.space import GIB, free_space, parse_size

VARIABLE = "HARNESS_CACHE_SIZE"

MOST = 20 * GIB
"""The budget of a machine with much free space, unless ``HARNESS_CACHE_SIZE`` says otherwise."""

FREE_SHARE = 3
"""Without ``HARNESS_CACHE_SIZE`` the cache takes at most one of so many parts of free space."""

CCACHE_SHARE = 8
"""One of so many parts of the budget is for ccache; one configuration of Linux 6.12 takes 80 MiB"""

FAILURES_SHARE = 8
"""One of so many parts of the budget is for kept failures, about 30 MiB each."""


def cache_budget(held: int) -> int:
    """The bytes of disk space that the cache may take, of which it holds *held* now.

    ``HARNESS_CACHE_SIZE``, or the smaller of MOST and a third of what is free and held together.
    Raises InputError if the variable is not a size.
    """
    wanted = wanted_size()
    if wanted is not None:
        return wanted
    return min(MOST, (free_space(cache_directory()) + held) // FREE_SHARE)


def wanted_size() -> int | None:
    """The value of ``HARNESS_CACHE_SIZE`` in bytes, None if it is not set; InputError if wrong."""
    text = os.environ.get(VARIABLE, "")
    if not text:
        return None
    size = parse_size(text)
    if size is None:
        raise InputError(
            f"{VARIABLE}={text}: expected a size such as 8G, 500M, or a number of bytes"
        )
    return size
