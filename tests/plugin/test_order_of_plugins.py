# SPDX-License-Identifier: Apache-2.0
"""pytest sees a module of the plugin before another one imports it, to rewrite its assertions."""

import ast

import harness.plugin
from harness.base.paths import CHECKOUT

FOLDER = CHECKOUT / "harness/plugin"


def test_no_plugin_imports_one_that_comes_after_it() -> None:
    order = harness.plugin.pytest_plugins
    early = [
        (name, node.module)
        for place, name in enumerate(order)
        for node in ast.walk(ast.parse((FOLDER / f"{name.rpartition('.')[2]}.py").read_text()))
        if isinstance(node, ast.ImportFrom) and node.module in order[place + 1 :]
    ]

    assert early == []
