# SPDX-License-Identifier: Apache-2.0
"""The names that this project uses most mean one class each."""

import ast
from collections import Counter

from harness.base.paths import CHECKOUT

NAMES = (
    *("Kernel", "Pool", "Machine", "Guest", "Probe", "Rogue", "Fence", "Attack"),
    *("Run", "Case", "Verdict", "Result", "Outcome", "Violation"),
)

RESERVED = ("Finding",)
"""An entry of docs/findings.md, which is text: no class may take the name for anything else."""


def test_each_of_the_most_used_names_is_one_class() -> None:
    found = Counter(
        node.name
        for path in (CHECKOUT / "harness").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    )

    assert {name: found[name] for name in NAMES} == dict.fromkeys(NAMES, 1)
    assert [name for name in RESERVED if found[name]] == []
