# SPDX-License-Identifier: Apache-2.0
"""The calls of a failed test, one by one."""

from harness.base.errors import InputError
from harness.base.violation import Violation
from harness.shell.answer import Answer
from harness.shell.command import Command, Needs, WrongForm
from harness.shell.commands.stops import debugger, outcome_answer, play
from harness.shell.effects import effects_of, new_ones, state_of, violations
from harness.shell.recording import Playback
from harness.shell.replay import Replay
from harness.shell.target import Target
from harness.shell.words import parse_number

ALL = "all"


def make_next(target: Target, words: list[str]) -> Answer:
    """Make the next call of the failed test, or several."""
    playback = target.parts.get(Playback)
    if isinstance(playback, Playback):
        return _play(target, playback, words)
    target.require(Needs.RUNNING)
    replay = target.parts.get(Replay)
    if not isinstance(replay, Replay) or not replay.steps:
        raise InputError("there are no recorded calls: 'harness debug FAILURE' replays some")
    count = _count(words, len(replay.steps))
    return outcome_answer(
        target, debugger(target).call("next", lambda: _make(target, replay, count))
    )


def _count(words: list[str], most: int) -> int:
    match words:
        case []:
            return 1
        case ["all"]:
            return most
        case [number]:
            return parse_number(number, "count", least=1, end=most + 1)
        case _:
            raise WrongForm


def _play(target: Target, playback: Playback, words: list[str]) -> Answer:
    """Play the next calls of a recording."""
    lines: list[str] = []
    for _ in range(_count(words, len(playback.moments))):
        text, end = playback.next_call()
        if not text:
            lines.append("that was the last recorded call")
            break
        before = state_of(target)
        stop = play(target, playback, end)
        if stop is not None:
            lines.append(f"in {text}:\n{outcome_answer(target, stop).text}")
            break
        lines += [text, *(f"  {one}" for one in effects_of(target, text, before, state_of(target)))]
    return Answer("\n".join(lines))


def _make(target: Target, replay: Replay, count: int) -> Answer:
    """Make up to *count* calls; stop behind the first that breaks a property."""
    lines: list[str] = []
    if not replay.begun:
        new_ones(_seen(target), replay.known)
        replay.begun = True
    for left in reversed(range(count)):
        text, effects = _make_one(target, replay)
        if text is None:
            lines.append("that was the last recorded call")
            break
        broken = new_ones(_seen(target), replay.known)
        told = [line for one in broken for line in str(one).splitlines()]
        lines += [text, *(f"  {line}" for line in [*effects, *told])]
        if broken and left:
            lines.append("stopped here: 'next' goes on")
            break
    return Answer("\n".join(lines))


def _make_one(target: Target, replay: Replay) -> tuple[str | None, list[str]]:
    """A call, and its effects if the kernel's structures can be read."""
    if not target.guest.machine.kernel.types:
        return replay.next(), []
    before = state_of(target)
    text = replay.next()
    return text, [] if text is None else effects_of(target, text, before, state_of(target))


def _seen(target: Target) -> list[Violation]:
    return violations(target) if target.guest.machine.kernel.types else []


COMMANDS = (
    Command(
        "next",
        "Make the next call of the failed test ('harness debug'), the next N, or all up to the "
        "first that breaks a property, and show what it does to slots and buffers.",
        ("[N]", ALL),
        make_next,
        ("next", "next 3", "next all"),
        needs=Needs.QEMU,
        arguments=((ALL,),),
    ),
)
