# SPDX-License-Identifier: Apache-2.0
"""What one guest goes through, as data that a person can read, change and run again.

In a file a case is JSON: what is wrong in an answer is a line such as ``0: length=0xffffffff``,
request 0 of that step, and in the configuration space ``capacity=0x400``.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

from harness.base.errors import InputError
from harness.machine.shape import DEFAULT_SHAPE

Kind = Literal["rng", "blk"]

_MUTATION = re.compile(r"(\d+): ([a-z-]+)=(0x[0-9a-f]+|\d+)")
_SETTING = re.compile(r"([a-z-]+)=(0x[0-9a-f]+|\d+)")

OLD_MUTATIONS = "lies"
"""The key of a step's mutations in files written before December 2026."""

SMALL = 10
"""Numbers below this are written in decimal."""


@dataclass(frozen=True)
class FieldMutation:
    """In the answer to *request*, counted from 0 in its step, *field* is as *value* says.

    The fields are in harness/jobs/fuzz/fields.py.
    """

    request: int
    field: str
    value: int

    def __str__(self) -> str:
        return f"{self.request}: {self.field}={_number(self.value)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str()`` writes; raises InputError."""
        found = _MUTATION.fullmatch(text)
        if found is None:
            raise InputError(f"'{text}': expected a mutation such as '0: length=0xffffffff'")
        return cls(int(found[1]), found[2], int(found[3], 0))


@dataclass(frozen=True)
class ConfigSetting:
    """A *field* of the configuration space that says *value* from the beginning."""

    field: str
    value: int

    def __str__(self) -> str:
        return f"{self.field}={_number(self.value)}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str()`` writes; raises InputError."""
        found = _SETTING.fullmatch(text)
        if found is None:
            raise InputError(f"'{text}': expected a setting such as 'capacity=0x400'")
        return cls(found[1], int(found[2], 0))


@dataclass(frozen=True)
class FuzzStep:
    """A piece of work, *do* of work.py with its *value*, and the mutations meanwhile."""

    do: str
    value: int = 0
    mutations: tuple[FieldMutation, ...] = ()


@dataclass(frozen=True)
class FuzzCase:
    """What a device of a *kind*, plugged into a guest of *shape*, does to it in these *steps*."""

    kind: Kind
    steps: tuple[FuzzStep, ...]
    config: tuple[ConfigSetting, ...] = ()
    shape: str = DEFAULT_SHAPE

    @property
    def mutations(self) -> tuple[FieldMutation, ...]:
        """Every mutation of every step."""
        return tuple(mutation for step in self.steps for mutation in step.mutations)

    def to_json(self) -> dict[str, Any]:
        """The case as JSON has it."""
        steps = [
            {
                "do": step.do,
                "value": step.value,
                "mutations": [str(mutation) for mutation in step.mutations],
            }
            for step in self.steps
        ]
        config = [str(setting) for setting in self.config]
        return {"kind": self.kind, "shape": self.shape, "config": config, "steps": steps}

    def text(self) -> str:
        """The same as text, always the same for the same case."""
        return json.dumps(self.to_json(), indent=1) + "\n"

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Read what :meth:`to_json` made; raises InputError."""
        try:
            if data["kind"] not in get_args(Kind):
                raise InputError(
                    f"unknown kind {data['kind']!r}: expected {' or '.join(get_args(Kind))}"
                )
            return cls(
                data["kind"],
                tuple(_step(step) for step in data["steps"]),
                tuple(ConfigSetting.parse(text) for text in data.get("config", ())),
                data.get("shape", DEFAULT_SHAPE),
            )
        except (KeyError, TypeError, ValueError) as fault:
            raise InputError(f"not a case: {fault!r} in {data!r}") from fault


def _step(data: Any) -> FuzzStep:
    written = data.get("mutations", data.get(OLD_MUTATIONS, ()))
    mutations = tuple(FieldMutation.parse(text) for text in written)
    return FuzzStep(data["do"], int(data.get("value", 0)), mutations)


def _number(value: int) -> str:
    return str(value) if value < SMALL else f"{value:#x}"
