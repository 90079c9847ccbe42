# SPDX-License-Identifier: Apache-2.0
"""How a test of a run ended."""

from dataclasses import dataclass
from typing import Any

from harness.base.result import Result
from harness.base.violation import Violation, violation_from

MESSAGE_SIZE = 300
"""Characters that are kept of what a test said."""


@dataclass(frozen=True)
class Case:
    """A test by its node id, and its result.

    *violated* are the properties that it found violated, *properties* all that it is about,
    *message* the first line of its reason, *seconds* what it took, *artifacts* the folder with
    what is kept of its guests (empty if nothing is). *violations* say in full what was seen;
    *notices* are what the test has to say whatever its result is.
    """

    test: str
    result: Result
    violated: tuple[str, ...] = ()
    message: str = ""
    properties: tuple[str, ...] = ()
    seconds: float = 0.0
    artifacts: str = ""
    violations: tuple[Violation, ...] = ()
    notices: tuple[str, ...] = ()

    @property
    def against_kernel(self) -> bool:
        """Whether it speaks against the kernel."""
        return self.result.against_kernel


def case_from(content: dict[str, Any]) -> Case:
    """The case that ``dataclasses.asdict`` made *content* of, with JSON between."""
    lists = {name: tuple(content.get(name, ())) for name in ("violated", "properties", "notices")}
    violations = tuple(violation_from(one) for one in content.get("violations", ()))
    result = Result(content["result"])
    return Case(**{**content, **lists, "violations": violations, "result": result})
