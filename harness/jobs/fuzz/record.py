# SPDX-License-Identifier: Apache-2.0
"""Record of a case: what the guest showed, and which of it are symptoms of a fault."""

import re
from dataclasses import dataclass
from typing import Literal

_NUMBER = re.compile(r"(0x)?[0-9a-f]*\d[0-9a-f]*")
_TIME = re.compile(r"^\[ *\d+\.\d+\](\[[^\]]*\])? *")

Sort = Literal["report", "end", "hang", "oracle", "data"]


@dataclass(frozen=True)
class Symptom:
    """Something that must not be: its *sort*, and in *text* what was seen."""

    sort: Sort
    text: str

    @property
    def signature(self) -> str:
        """The same for what is the same but for its numbers."""
        return f"{self.sort}: {shape_of(self.text)}"

    def __str__(self) -> str:
        return f"{self.sort}: {self.text}"


@dataclass(frozen=True)
class Record:
    """What a case showed.

    *symptoms* are what must not be; *steps* the steps that began and how each ended; *shapes* the
    kinds of console lines; *console* its last lines; *fault* what the harness could not do.
    """

    symptoms: tuple[Symptom, ...]
    steps: tuple[str, ...]
    shapes: frozenset[str]
    console: tuple[str, ...]
    fault: str = ""
    seconds: float = 0.0

    @property
    def novelty(self) -> frozenset[str]:
        """All that this case showed, for comparison with what was shown before."""
        return self.shapes | frozenset(self.steps)


def shape_of(line: str) -> str:
    """A console line without its time and numbers."""
    return _NUMBER.sub("#", _TIME.sub("", line))
