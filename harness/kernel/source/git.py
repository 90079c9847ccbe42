# SPDX-License-Identifier: Apache-2.0
"""Running git on other people's repositories, without writing to them or minding their settings."""

import os
from collections.abc import Mapping
from pathlib import Path

from harness.base.tools import run_tool

SETTINGS = ("-c", "safe.directory=*", "-c", f"core.excludesFile={os.devnull}")
"""Repositories of other owners are read; a user's own ignore list does not change a kernel."""


def environment(**extra: str) -> Mapping[str, str]:
    """Return the environment git runs in: no repository implied, no question asked."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", **extra}


def git(*words: str | Path, data: bytes | None = None) -> bytes:
    """Run git and return its output; ToolError with its complaint if it fails."""
    return run_tool(("git", *SETTINGS, *words), env=environment(), data=data)
