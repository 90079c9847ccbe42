# SPDX-License-Identifier: Apache-2.0
"""Search for the first bad kernel among several: the next one to test, and the result."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from harness.kernel import KernelSpec


class Word(Enum):
    """The answer for a kernel."""

    GOOD = "good"
    BAD = "bad"
    SKIP = "skip"  # it cannot be built, or a test has no result


Known = Mapping[str, Word]
"""The answers so far, by the kernels' names, in the order in which they came."""


@dataclass(frozen=True)
class Found:
    """The end of a search: the first bad kernel, or several if some of them had to be skipped."""

    suspects: tuple[str, ...]

    @property
    def is_certain(self) -> bool:
        """Whether there is only one suspect."""
        return len(self.suspects) == 1


@dataclass(frozen=True)
class Candidate:
    """A kernel by its *name* among the others, and what to call it."""

    name: str
    title: str
    spec: KernelSpec


class SearchSpace(Protocol):
    """Kernels in order, from the *good* one to the *bad* one."""

    @property
    def good(self) -> str: ...  # noqa: D102 - described above
    @property
    def bad(self) -> str: ...  # noqa: D102 - described above
    @property
    def identity(self) -> str:
        """A hash of the kernels and their order."""

    def next(self, known: Known) -> str | Found:
        """The name of the kernel to ask next, or what was found."""

    def candidate(self, name: str) -> Candidate:
        """The kernel of that name."""

    def log(self, known: Known) -> str:
        """The answers, one a line, to repeat the search by hand."""


def next_of(names: Sequence[str], known: Known) -> str | Found:
    """Halve *names*: the first is good and the last is bad."""
    bad = min(at for at, name in enumerate(names) if known.get(name) is Word.BAD)
    good = max(at for at, name in enumerate(names[:bad]) if known.get(name) is Word.GOOD)
    middle = (good + bad) / 2
    unknown = [at for at in range(good + 1, bad) if names[at] not in known]
    if unknown:
        return names[min(unknown, key=lambda at: abs(at - middle))]
    return Found(tuple(names[good + 1 : bad + 1]))
