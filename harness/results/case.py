# SPDX-License-Identifier: Apache-2.0
"""One test of a run, and how it ended."""

from dataclasses import dataclass
from typing import Any

from harness.base.result import Result
from harness.base.violation import Violation, violation_from

MESSAGE_SIZE = 300
"""Characters of a message that are kept."""


@dataclass(frozen=True)
class Case:
    """A test by its node id, and its result.

    *violated* are the properties that it found violated, *properties* all that it tests,
    *message* the first line of its reason, *seconds* its duration, *artifacts* the directory of
    its guests' artifacts (empty if none are kept). *violations* are complete; *notices* are lines
    to print whatever the result is.
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
    """The case from *content*: ``dataclasses.asdict`` of a case, possibly through JSON."""
    lists = {name: tuple(content.get(name, ())) for name in ("violated", "properties", "notices")}
    violations = tuple(violation_from(one) for one in content.get("violations", ()))
    result = Result(content["result"])
    return Case(**{**content, **lists, "violations": violations, "result": result})
