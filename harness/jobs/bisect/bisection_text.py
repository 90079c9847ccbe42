# SPDX-License-Identifier: Apache-2.0
"""What a bisection found, in words."""

from harness.jobs.bisect.bisect import Bisection
from harness.jobs.compare.series_text import last_failure
from harness.results.render.plain_text import short_name, wrapped


def bisection_text(bisection: Bisection) -> str:
    """What was found, the tests that show it, how to see it again, and the log."""
    space, first = bisection.space, bisection.first_bad
    if bisection.found.is_certain:
        lines = wrapped(f"The first bad one is {first.title}.")
    else:
        titles = [space.candidate(name).title for name in bisection.found.suspects]
        lines = ["The first bad one is one of these; some could not be asked:"]
        lines += [f"  {title}" for title in titles]
    for one in bisection.failures:
        lines += [f"  {short_name(one.test)}: {one.result}", *last_failure([one])]
    lines += ["", "The same once more:", f"  {bisection.reproduce}", "", "Log:"]
    return "\n".join([*lines, space.log(bisection.state.known)]) + "\n"
