# SPDX-License-Identifier: Apache-2.0
"""Which tests reach a kernel function: measured, for the order of tests.

``tests/reached.json`` holds it, for each test the functions; ``harness coverage --keep-reached``
writes it. A function that many tests reach is not in it: it would choose none of them.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.base.disk import write_whole
from harness.base.paths import CHECKOUT
from harness.base.progress import say

REACHED = CHECKOUT.joinpath("tests", "reached.json")
"""Not ``CHECKOUT / ...``, as KILLS (harness/results/kills.py)."""

RARE = 0.25
"""The largest share of all tests that may reach a function which is kept."""


@dataclass(frozen=True)
class Reached:
    """For each function the tests that run it on Linux *release*, without their parameters.

    The boot of a parked guest does not count.
    """

    release: str = ""
    functions: Mapping[str, frozenset[str]] = field(default_factory=dict)


def without_parameters(test: str) -> str:
    """The node id *test* without its parameters."""
    return test.partition("[")[0]


def read_reached() -> Reached:
    """What is known; nothing without the file, or if it is damaged, for example by a merge."""
    try:
        stored = json.loads(REACHED.read_text())
    except FileNotFoundError:
        return Reached()
    except ValueError as fault:
        say(f"{REACHED} is damaged ({fault}): no test is known to reach a function. Restore it")
        return Reached()
    found: dict[str, set[str]] = defaultdict(set)
    for test, functions in stored["tests"].items():
        for one in functions.split():
            found[one].add(test)
    return Reached(stored["release"], {name: frozenset(found[name]) for name in sorted(found)})


def keep_reached(reached: Reached) -> None:
    """Put *reached* in the place of what was known, without functions that many tests reach.

    Raises OSError if the checkout cannot be written to.
    """
    most = RARE * len(frozenset().union(*reached.functions.values()))
    found: dict[str, list[str]] = defaultdict(list)
    for name, tests in sorted(reached.functions.items()):
        for test in tests if len(tests) <= most else ():
            found[test].append(name)
    tests_by_name = {test: " ".join(found[test]) for test in sorted(found)}
    stored = {"release": reached.release, "tests": tests_by_name}
    write_whole(REACHED, json.dumps(stored, indent=1) + "\n")
