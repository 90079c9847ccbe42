# SPDX-License-Identifier: Apache-2.0
"""The result of a bisection as text."""

from harness.jobs.bisect.bisect import Bisection
from harness.results.render.plain_text import failure_lines, short_name, wrapped


def bisection_text(bisection: Bisection) -> str:
    """The first bad kernel, the tests that fail on it, the command to reproduce, and the log."""
    space, first = bisection.space, bisection.first_bad
    if bisection.found.is_certain:
        lines = wrapped(f"The first bad kernel is {first.title}.")
    else:
        titles = [space.candidate(name).title for name in bisection.found.suspects]
        lines = ["The first bad kernel is one of these; some could not be built or judged:"]
        lines += [f"  {title}" for title in titles]
    for one in bisection.failures:
        lines += [f"  {short_name(one.test)}: {one.result}", *failure_lines(one)]
    lines += ["", "Reproduce:", f"  {bisection.reproduce}", "", "Log:"]
    return "\n".join([*lines, space.log(bisection.state.known)]) + "\n"
