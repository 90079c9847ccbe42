# SPDX-License-Identifier: Apache-2.0
"""``harness debug``: the machine of a failure, with its test's calls to be made again."""

import argparse
from pathlib import Path

from harness.base.cache.layout import FAILURES, MACHINE_RECORD
from harness.base.errors import InputError
from harness.base.paths import cache_directory
from harness.base.progress import step
from harness.cli.shell import add_command_option, converse
from harness.machine.description import load_machine
from harness.machine.qemu.rundir import sweep
from harness.machine.qemu.snapshot import boot, park, restore
from harness.results import load_run
from harness.results.file import is_run
from harness.results.history import find_run, open_history
from harness.shell import Target, live_target
from harness.shell.effects import new_ones, violations
from harness.shell.recording import RECORDING, Playback, open_recording, record
from harness.shell.replay import Replay, read_replay

VIOLATION = "violation.txt"
"""What the test saw, in the directory of a failure (harness/plugin/failures.py)."""

SHOWN = 5
"""Most names in an error."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "debug",
        help="start the machine of a failure, before its last call, and read commands",
        description="Start the machine of a failed test again, make the calls of its driver up to "
        "the last one, and read commands: 'next' makes that. 'help' lists the commands.",
    )
    parser.add_argument(
        "failure",
        metavar="TEST|FAILURE|RUN",
        help="part of the name of a test that failed (its newest failure), the directory of a "
        "failure, or a run: a file, or the start of its id",
    )
    parser.add_argument(
        "--from-start", action="store_true", help="make no call before the first command"
    )
    parser.add_argument(
        "--boot", action="store_true", help="boot the machine instead of restoring a parked guest"
    )
    parser.add_argument(
        "--record",
        action="store_true",
        help="let QEMU record the calls, and play the recording, in which gdb and the shell can go "
        "back (reverse-step, reverse-continue). Rogue devices are not in a recording: the guest's "
        "CPU writes what they wrote",
    )
    add_command_option(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Start the machine and read commands until the person quits."""
    sweep()
    directory = failure_directory(arguments.failure)
    machine = load_machine(directory)
    print(f"failure  {directory}")
    if (directory / VIOLATION).exists():
        print((directory / VIOLATION).read_text().rstrip())
    if arguments.record:
        return _play(directory, arguments)
    with boot(machine) if arguments.boot else restore(park(machine)) as guest:
        target = live_target(guest)
        replay = target.part(Replay, lambda: read_replay(target, directory))
        _begin(target, replay, from_start=arguments.from_start)
        return converse(target, arguments)


def _play(directory: Path, arguments: argparse.Namespace) -> int:
    """Record the calls, and read commands on the recording."""
    with step("recording"):
        recording = record(directory)
    guest, playback = open_recording(recording)
    with guest:
        target = live_target(guest)
        target.part(Playback, lambda: playback)
        last = recording.moments[0 if arguments.from_start else -1]
        playback.seek(last.icount)
        print(
            f"{len(recording.moments)} calls are recorded in {directory / RECORDING}; 'next' plays "
            f"{last.text}"
        )
        return converse(target, arguments)


def _begin(target: Target, replay: Replay, *, from_start: bool) -> None:
    """Make all calls but the last, and say where the replay is, and what is broken by then."""
    visible = replay.visible
    if not visible:
        print("The failure has no recorded calls.")
        return
    if from_start:
        print(f"{len(visible)} calls are recorded; 'next' makes the first.")
        return
    replay.make_until(visible[-1])
    print(f"{len(visible) - 1} calls are made; 'next' makes the last.")
    broken = new_ones(violations(target), replay.known) if target.guest.machine.kernel.types else []
    for one in broken:
        print(one)
    if broken:
        print("'harness debug --from-start' and 'next all' stop behind the call that breaks it.")


def failure_directory(words: str) -> Path:
    """The directory of the failure that *words* name; raises InputError if there is none."""
    path = Path(words).expanduser()
    if (path / MACHINE_RECORD).exists():
        return path
    if path.is_file() and is_run(path):
        return _of_run([case.artifacts for case in load_run(path).tests], words)
    kept = sorted((cache_directory() / FAILURES).glob(f"*/{MACHINE_RECORD}"), reverse=True)
    names = [one.parent for one in kept if _bare(words) in _bare(one.parent.name)]
    if names:
        return names[0]
    try:
        history = open_history()
        found = history.run(find_run(history, words).id)
    except InputError:
        found = None
    if found is not None:
        return _of_run([case.artifacts for case in found.tests], words)
    newest = ", ".join(one.parent.name for one in kept[:SHOWN]) or "none"
    raise InputError(
        f"no failure, test or run is named {words!r}. The newest failures in "
        f"{cache_directory() / FAILURES}: {newest}"
    )


def _bare(name: str) -> str:
    """*name* as directories of failures have it: words with dashes between."""
    return "".join(sign if sign.isalnum() or sign == "_" else "-" for sign in name).strip("-")


def _of_run(places: list[str], words: str) -> Path:
    """The only failure of a run whose machine is kept."""
    kept = [Path(place) for place in places if place and (Path(place) / MACHINE_RECORD).exists()]
    if not kept:
        raise InputError(f"the run {words!r} has no failure whose machine is kept")
    if len(kept) > 1:
        raise InputError(
            f"the run {words!r} has {len(kept)} failures. Name one of: "
            + ", ".join(one.name for one in kept[:SHOWN])
        )
    return kept[0]
