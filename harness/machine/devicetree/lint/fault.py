# SPDX-License-Identifier: Apache-2.0
"""What a fault of a devicetree is."""

from dataclasses import dataclass

from harness.machine.devicetree.flat import FlatNode
from harness.machine.devicetree.model.rules import RULES, Level, Rule


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: with a node, by a rule, in words.

    *name* is the property to look at; empty for the node.
    """

    rule: Rule
    path: str
    text: str
    name: str = ""

    @property
    def level(self) -> Level:
        """How bad it is."""
        return self.rule.level


def fault_of(rule: str, node: FlatNode, text: str, name: str = "") -> Fault:
    """What is wrong with a node or its property *name*, by the rule of that name."""
    return Fault(RULES[rule], node.path, text, name)
