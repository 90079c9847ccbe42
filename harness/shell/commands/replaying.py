# SPDX-License-Identifier: Apache-2.0
"""The calls of a failed test, one by one."""

from harness.base.errors import InputError
from harness.observe.memory import Slot, slots_in_use
from harness.observe.memory.names import pools_in_order
from harness.observe.memory.places import explain
from harness.shell.answer import Answer
from harness.shell.command import Command, Needs, WrongForm
from harness.shell.commands.stops import debugger, outcome_answer
from harness.shell.replay import Replay
from harness.shell.target import Target
from harness.shell.words import parse_number

ALL = "all"

MOST_SLOTS = 8
"""Slots that are told of one call."""


def make_next(target: Target, words: list[str]) -> Answer:
    """Make the next call of the failed test, or several."""
    replay = target.parts.get(Replay)
    if not isinstance(replay, Replay) or not replay.steps:
        raise InputError("there are no recorded calls: 'harness debug FAILURE' replays some")
    match words:
        case []:
            count = 1
        case ["all"]:
            count = len(replay.steps)
        case [number]:
            count = parse_number(number, "count", least=1, end=len(replay.steps) + 1)
        case _:
            raise WrongForm

    def make() -> Answer:
        lines: list[str] = []
        for _ in range(count):
            before = _slots(target)
            text = replay.next()
            if text is None:
                lines.append("that was the last recorded call")
                break
            lines += [text, *(f"  {line}" for line in _effects(target, text, before))]
        return Answer("\n".join(lines))

    return outcome_answer(target, debugger(target).call("next", make))


def _effects(target: Target, text: str, before: dict[str, Slot]) -> list[str]:
    """What the addresses of a call are, and which slots it took and gave back."""
    now = _slots(target)
    taken = [name for name in now if name not in before]
    given = [name for name in before if name not in now]
    lines = list(explain(target.places, [text]))
    lines += [f"takes {', '.join(taken[:MOST_SLOTS])}"] if taken else []
    return lines + ([f"gives back {', '.join(given[:MOST_SLOTS])}"] if given else [])


def _slots(target: Target) -> dict[str, Slot]:
    """The slots in use by name."""
    return {
        f"slot {slot.index} of {pool.name}": slot
        for pool in pools_in_order(target.types)
        for slot in slots_in_use(target.types, pool)
    }


COMMANDS = (
    Command(
        "next",
        "Make the next call of the failed test ('harness debug'), the next N, or all.",
        ("[N]", ALL),
        make_next,
        ("next", "next 3", "next all"),
        needs=Needs.RUNNING,
        arguments=((ALL,),),
    ),
)
