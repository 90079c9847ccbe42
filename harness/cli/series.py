# SPDX-License-Identifier: Apache-2.0
"""``harness series``: show what is read from mails and patches, and where it applies."""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.base.errors import SeriesError
from harness.kernel.helptext import KERNEL
from harness.kernel.patches.apply import Attempt, Fit
from harness.kernel.patches.diff import Patch, require_safe
from harness.kernel.patches.fit import try_source
from harness.kernel.patches.mail import Mail
from harness.kernel.patches.origin import FORMS, find_series
from harness.kernel.patches.series import Series, patches_of
from harness.kernel.patches.unpacked import Trial, try_unpacked
from harness.results.render.plain_text import wrapped

APPLIES, APPLIES_NOWHERE = 0, 1


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "series",
        help="show how a patch series is read, and to which kernels it applies",
        description="Show the patches in order, what is left out and why, trailers, "
        "prerequisites, and to which of the cached kernels the series applies. Nothing is built. "
        "Exit code 0: it applies to a kernel that was tried; 1: to none; 2: it cannot be read.",
    )
    parser.add_argument(
        "series",
        nargs="*",
        metavar="SERIES",
        help=f"{FORMS} (default: the commits since upstream and the uncommitted changes of the "
        "kernel's git tree here, or of --git)",
    )
    parser.add_argument(
        "--git", type=Path, default=Path(), metavar="REPO", help="repository of base..tip"
    )
    parser.add_argument(
        "--kernel",
        action="append",
        default=[],
        metavar="SOURCE",
        help=f"try this kernel instead of the cached ones; may be repeated. {KERNEL}",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what was read, and where it applies."""
    series = find_series(arguments.series, arguments.git)
    print("\n".join(_read(series)))
    try:
        trials = _trials(patches_of(series), arguments.kernel)
    except SeriesError as fault:
        print("\n".join(["", *wrapped(str(fault))]))
        return APPLIES_NOWHERE
    print("\n".join(_where(series, trials)))
    return APPLIES if not trials or any(one.applies for one in trials) else APPLIES_NOWHERE


def _trials(patches: Sequence[Patch], sources: Sequence[str]) -> list[Trial]:
    for patch in patches:
        require_safe(patch)
    if not sources:
        return try_unpacked(patches)
    return [try_source(patches, source) for source in sources]


def _read(series: Series) -> Iterator[str]:
    count = len(series.patches)
    yield from wrapped(
        f"{series.title} ({count} patch{'es' if count > 1 else ''})", "series  ", " " * 8
    )
    if series.note:
        yield from wrapped(series.note, "note    ", " " * 8)
    for number, mail in enumerate(series.patches, 1):
        yield ""
        yield from _patch(f"{number}/{count}", mail)
    if series.missing:
        numbers = ", ".join(map(str, series.missing))
        yield from ["", f"Missing, by the subjects' numbers: patch {numbers}."]
    if series.skipped:
        yield from ["", "Left out:"]
        for one in series.skipped:
            yield from wrapped(f'{one.name} "{one.subject}": {one.reason}', "  ", "    ")
    if series.needs:
        yield from ["", "The series says that it needs:"]
        if series.needs.base:
            yield f"  base-commit: {series.needs.base}"
        for said in series.needs.said:
            yield from wrapped(said, "  ", "    ")


def _patch(place: str, mail: Mail) -> Iterator[str]:
    yield from wrapped(mail.subject, f"{place:8}", " " * 8)
    yield from wrapped(f"from {mail.name}", " " * 8)
    if mail.author:
        yield f"        author {mail.author}"
    for trailer in mail.trailers:
        reply = " (from a reply)" if trailer in mail.collected else ""
        yield f"        {trailer.key}: {trailer.value}{reply}"
    if mail.note:
        yield from wrapped(mail.note, " " * 8)


def _where(series: Series, trials: Sequence[Trial]) -> Iterator[str]:
    yield ""
    if not trials:
        yield from wrapped(
            "No kernel source is in the cache to try it on. Name one: --kernel=debian:6.12"
        )
        return
    yield "Applies to:"
    for trial in trials:
        yield from wrapped(f"{trial.label}: {_answer(series, trial.attempts)}", "  ", "    ")


def _answer(series: Series, attempts: Sequence[Attempt]) -> str:
    if not attempts:
        return "not tried, another run uses its tree"
    last = attempts[-1]
    if last.fit is Fit.REFUSED:
        return f"no; {series.label(len(attempts))} does not apply: {last.reason}"
    already = [at for at, one in enumerate(attempts, 1) if one.fit is Fit.ALREADY]
    if len(already) == len(attempts):
        return "already applied (all hunks, reversed)"
    if already:
        return f"yes; patch {', '.join(map(str, already))} {Fit.ALREADY.value}"
    return "yes"
