# SPDX-License-Identifier: Apache-2.0
"""What expectations are asked about: a guest, its memory and its log, as far as they look at it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import pytest

from harness.base.errors import GuestHang
from harness.base.violation import PropertyViolated, Violation
from harness.devices.probe import Pattern, Segment
from harness.machine.devicetree import Pool
from harness.machine.fence import Refusal

POOL = Pool(0x4F00_0000, 0x100_0000, "restricted-dma@4f000000", "pool", ())
IN_POOL = "pool restricted-dma@4f000000 [0x4f000000, 0x50000000)"


@dataclass(frozen=True)
class Memory:
    """A buffer of the probe's, as far as the helpers ask it."""

    content: bytes
    phys: int = 0x4148_5000

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.content)

    def read(self, offset: int, length: int) -> bytes:
        """A range of it."""
        return self.content[offset : offset + length]

    def holds(self, pattern: Pattern, offset: int, length: int) -> bool:
        """Whether a range is as in *pattern*."""
        return self.read(offset, length) == pattern.content(offset, length)


@dataclass(frozen=True)
class Counters:
    """A pool's counters."""

    used: int
    name: str = "restricted-dma@4f000000"


@dataclass(frozen=True)
class Log:
    """A guest, as far as it says things."""

    lines: tuple[str, ...]

    def kernel_log(self) -> tuple[str, ...]:
        """All lines."""
        return self.lines


@dataclass(frozen=True)
class Silent:
    """A guest that goes on, and prints nothing more on its console."""

    lines: tuple[str, ...] = ("Booting Linux", "", "Run /init", " ")
    answers: bool = True

    @property
    def console(self) -> "Silent":
        """Its console."""
        return self

    @property
    def agent(self) -> "Silent":
        """Its agent."""
        return self

    def wait_for(self, pattern: str, timeout: float, *, since: int) -> None:
        """Wait in vain."""
        raise GuestHang(f"waited {timeout:g} s for /{pattern}/ since {since}")

    def hello(self) -> None:
        """Answer, or not."""
        if not self.answers:
            raise GuestHang("waited 20 s for the answer to a hello")


@dataclass(frozen=True)
class Fenced:
    """A guest behind a fence."""

    refusals: tuple[Refusal, ...] = ()
    damage: tuple[str, ...] = ()

    def fence_refusals(self) -> list[Refusal]:
        """Refused accesses."""
        return list(self.refusals)

    def fence_damage(self) -> list[str]:
        """Changes of the fence."""
        return list(self.damage)


REFUSAL = Refusal("0000:02:00.0", 0x4148_5000, "write", 1.0)

SAID = Log(("Booting Linux", " probe-a: assigned reserved memory node restricted-dma@4f000000"))


def at(dma_addr: int, length: int = 0x1000) -> Segment:
    """A mapping there."""
    return Segment(dma_addr, dma_addr, length)


def memory(*patterns: tuple[Pattern, int]) -> Memory:
    """A buffer that holds one pattern after another, each of a length in bytes."""
    content = b""
    for pattern, length in patterns:
        content += pattern.content(len(content), length)
    return Memory(content)


Unmet = tuple[Callable[[], object], str, str]
"""An expectation that is not met, and what it says was expected and observed."""


def violation_of(call: Callable[[], object]) -> Violation:
    """What an expectation says that is not met."""
    with pytest.raises(PropertyViolated) as caught:
        call()
    (violation,) = caught.value.violations
    return violation


def check_unmet(unmet: Unmet) -> None:
    """It says what was expected and observed, and not yet which property that violates."""
    call, expected, observed = unmet
    violation = violation_of(call)
    assert violation.expected == expected
    assert violation.observed == observed or re.fullmatch(observed, violation.observed)
    assert violation.properties == ()


def silent(met: Sequence[Callable[[], object]]) -> Callable[..., None]:
    """A test for each expectation that is met: it says nothing."""

    @pytest.mark.parametrize("call", met)
    def test(call: Callable[[], object]) -> None:
        call()

    return test


def told(unmet: Mapping[str, Unmet]) -> Callable[..., None]:
    """A test for each expectation that is not met: it says what was expected and observed."""

    @pytest.mark.parametrize("name", unmet)
    def test(name: str) -> None:
        check_unmet(unmet[name])

    return test
