# SPDX-License-Identifier: Apache-2.0
"""Violation: one observation that the kernel did not keep a property."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LABEL = 10
"""Width of the labels in the text of a violation."""


@dataclass(frozen=True)
class Violation:
    """What was seen of the violated *properties*, such as ``B5``, in the terms of a driver.

    *summary* is one sentence that names the kernel function and what it did. *calls* are the
    driver's last DMA API calls as C, with their results, and what a rogue did between them, in
    brackets. *expected* and *observed* say it with addresses; *places* explains each address that
    occurs (``0x4f007000 slot 14 of pool restricted-dma@4f000000 [0x4f000000, 0x50000000)``), and
    *code* the kernel function and file at fault, where the test knows it. *reproduce* runs the test
    again, *debug* starts the machine that it ran in. All but *properties* and *summary* may be
    empty.

    A *control* failed: without protection, the attack that the property is about did not succeed.
    """

    properties: tuple[str, ...]
    summary: str
    calls: tuple[str, ...] = ()
    expected: str = ""
    observed: str = ""
    places: tuple[str, ...] = ()
    code: str = ""
    reproduce: str = ""
    debug: str = ""
    control: bool = False

    def __str__(self) -> str:
        said = "control failed" if self.control else "violated"
        head = f"{' '.join(self.properties)} {said}: {self.summary}"
        return "\n".join([head, *self._details()])

    def _details(self) -> list[str]:
        labelled = (
            *_labelled("driver", self.calls),
            *_labelled("expected", self.expected.splitlines()),
            *_labelled("observed", self.observed.splitlines()),
            *self.places,
            *_labelled("code", self.code.splitlines()),
            *_labelled("reproduce", self.reproduce.splitlines()),
            *_labelled("debug", self.debug.splitlines()),
        )
        return textwrap.indent("\n".join(labelled), "  ").splitlines()


def violation_from(content: Mapping[str, Any]) -> Violation:
    """Read a violation back from the JSON of ``dataclasses.asdict``."""
    lists = {name: tuple(content.get(name, ())) for name in ("properties", "calls", "places")}
    return Violation(**{**content, **lists})


class PropertyViolated(AssertionError):
    """The kernel under test did not keep a property; carries every :class:`Violation` seen."""

    def __init__(self, *violations: Violation) -> None:
        super().__init__("\n".join(map(str, violations)))
        self.violations = violations

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all violated properties, each once."""
        return tuple(dict.fromkeys(one for each in self.violations for one in each.properties))


def violated(summary: str, *properties: str) -> PropertyViolated:
    """Return the error for one violation that has a *summary* only."""
    return PropertyViolated(Violation(properties, summary))


def _labelled(label: str, lines: Sequence[str]) -> list[str]:
    """*lines* indented by the width of a label; *label* precedes the first."""
    return [f"{label if number == 0 else '':<{LABEL}} {one}" for number, one in enumerate(lines)]
