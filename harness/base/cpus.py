# SPDX-License-Identifier: Apache-2.0
"""How many CPUs this process may use, and how many guests keep them busy."""

import os


def usable_cpus() -> int:
    """CPUs that this process may use: what ``taskset`` leaves, as nproc(1) counts."""
    return len(os.sched_getaffinity(0))


def guests_at_once() -> int:
    """Guests that keep the CPUs busy: tests wait for theirs to notice a hot-plug.

    scripts/run and scripts/worker compute the same.
    """
    return usable_cpus() * 3 // 2
