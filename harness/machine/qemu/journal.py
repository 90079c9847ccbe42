# SPDX-License-Identifier: Apache-2.0
"""The last actions of a guest's drivers and devices, a line each, for the report of a failure."""

import json
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

KEPT = 12
"""Lines in the report of a failure."""

REMEMBERED = 16 * KEPT
"""Lines kept before repeated lines are merged."""


MOST_ACTS, MOST_BYTES = 20_000, 4 << 20
"""What is recorded for a replay; a test that does more is replayed up to there."""

ActKind = Literal["run", "write", "probe", "stress", "plug", "dma"]


@dataclass(frozen=True)
class Act:
    """One thing that was done to a guest from outside, so that it can be done again.

    ======  ======================================  ==================  ==========
    kind    text                                    number              data
    ======  ======================================  ==================  ==========
    run     shell command
    write   path of a file in the guest                                 content
    probe                                                               batch
    stress  JSON: CPU, runs and batch of each job
    plug    JSON: QEMU's device                     root port
    dma     name of the device that wrote           guest-physical      bytes
    ======  ======================================  ==================  ==========
    """

    kind: ActKind
    text: str = ""
    number: int = 0
    data: bytes = b""


class Journal:
    """The last lines; the clients of the probe and of rogue devices add them.

    *acts* are all that was done to the guest from its start on, for a replay, up to a limit:
    *complete* says whether that is all.
    """

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=REMEMBERED)
        self.added = 0
        self.acts: list[Act] = []
        self.complete = True
        self._room = MOST_BYTES

    def append(self, line: str) -> None:
        """Add a line, the newest."""
        self._lines.append(line)
        self.added += 1

    def record(self, act: Act) -> None:
        """Add what is done to the guest."""
        self._room -= len(act.data) + len(act.text)
        self.complete = self.complete and self._room >= 0 and len(self.acts) < MOST_ACTS
        if self.complete:
            self.acts.append(act)

    def last(self, kept: int = KEPT) -> tuple[str, ...]:
        """The last lines, oldest first; a repeated line appears once, with the count."""
        counted = [(line, sum(1 for _ in same)) for line, same in groupby(self._lines)]
        return tuple(
            line if count == 1 else f"{line}  [{count} times]" for line, count in counted[-kept:]
        )

    def __iter__(self) -> Iterator[str]:
        return iter(self._lines)

    def __bool__(self) -> bool:
        return bool(self._lines)


def acts_text(acts: Iterable[Act]) -> str:
    """*acts* as JSON, one a line."""
    rows = ([one.kind, one.text, one.number, one.data.hex()] for one in acts)
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def parse_acts(text: str) -> list[Act]:
    """What :func:`acts_text` wrote; raises ValueError for something else."""
    rows = (json.loads(line) for line in text.splitlines())
    return [Act(kind, said, number, bytes.fromhex(data)) for kind, said, number, data in rows]
