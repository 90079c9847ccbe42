# SPDX-License-Identifier: Apache-2.0
"""A script in Python that repeats DMA API calls.

Run it with ``python`` in ``harness debug``, or in a test with the fixtures ``probe`` and
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
    """A script that can be pasted line by line: each block ends with an empty line."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = [*HEAD, *lines]
        self._numbers = count(1)
        self._seeds = count()

    def __str__(self) -> str:
        return "\n".join(self._lines)

    def add(self, line: str) -> None:
        """Append a line that makes nothing."""
        self._lines.append(line)

    def add_result(self, kind: str, line: str, outcome: Any) -> str:
        """Append a call that makes a mapping or an allocation, or fails; returns its name."""
        name = f"{kind}{next(self._numbers)}"
        if isinstance(outcome, DmaError):
            self.add(f"with suppress(DmaError):\n    {line}  # refused\n")
        else:
            first = outcome[0] if isinstance(outcome, tuple) else outcome
            self.add(f"{name} = {line}  # {first.dma_addr:#x}")
        return name

    def random_bytes(self, where: str, length: int) -> bytes:
        """Append a write of random bytes, different each time; returns the bytes."""
        seed = next(self._seeds)
        self.add(f"memory.write({where}, Random({seed}).randbytes({length}))")
        return Random(seed).randbytes(length)
