# SPDX-License-Identifier: Apache-2.0
"""Calls written down as lines of Python that make the same calls again.

They are for ``python`` in ``harness shell --reopen``, or for a test with the fixtures ``probe`` and
``memory``.
"""

from collections.abc import Sequence
from itertools import count
from random import Random
from typing import Any

from harness.devices.probe import DmaError

HEAD = (
    "from contextlib import suppress",
    "from random import Random",
    "from harness.devices.probe import *",
)


class Script:
    """What a person can paste, line by line too: a block ends with an empty one."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = [*HEAD, *lines]
        self._numbers = count(1)
        self._seeds = count()

    def __str__(self) -> str:
        return "\n".join(self._lines)

    def say(self, line: str) -> None:
        """Write down a call that makes nothing."""
        self._lines.append(line)

    def made(self, kind: str, line: str, outcome: Any) -> str:
        """Write down a call that makes a thing, or was refused; returns the thing's name."""
        name = f"{kind}{next(self._numbers)}"
        if isinstance(outcome, DmaError):
            self.say(f"with suppress(DmaError):\n    {line}  # refused\n")
        else:
            first = outcome[0] if isinstance(outcome, tuple) else outcome
            self.say(f"{name} = {line}  # {first.dma_addr:#x}")
        return name

    def noise(self, where: str, length: int) -> bytes:
        """Write down that memory is filled with noise; returns it, no two times the same."""
        seed = next(self._seeds)
        self.say(f"memory.write({where}, Random({seed}).randbytes({length}))")
        return Random(seed).randbytes(length)
