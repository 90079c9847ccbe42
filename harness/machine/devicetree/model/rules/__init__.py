# SPDX-License-Identifier: Apache-2.0
"""What kernels do with restricted pools, as data: a rule has a range of versions and its source.

A rule either decides how the model behaves (``holds()`` is asked), or is the reason for something
the lint says. Versions were read in 6.1.192, 6.12.117 and 7.3.4; where a change lies between two
of them, the range names the first version known to have it.
"""

from harness.machine.devicetree.model.rules.device_rules import DEVICE_RULES
from harness.machine.devicetree.model.rules.pool_rules import POOL_RULES
from harness.machine.devicetree.model.rules.region_rules import REGION_RULES
from harness.machine.devicetree.model.rules.rule import Level, Rule

__all__ = ["RULES", "Level", "Rule"]

_ALL = (*REGION_RULES, *DEVICE_RULES, *POOL_RULES)

RULES = {rule.name: rule for rule in _ALL}
"""All rules by name."""

assert len(RULES) == len(_ALL), "two rules have the same name"
