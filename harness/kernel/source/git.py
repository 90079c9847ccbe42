# SPDX-License-Identifier: Apache-2.0
"""Run git on the user's repositories, without writing to them and without user settings."""

import os
from collections.abc import Mapping
from pathlib import Path

from harness.base.tools import run_tool

SETTINGS = ("-c", "safe.directory=*", "-c", f"core.excludesFile={os.devnull}")
"""Accept repositories of other owners; ignore the user's own list of ignored files."""


def environment(**extra: str) -> Mapping[str, str]:
    """Return the environment for git: no implied repository, no prompts."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return {**kept, "LC_ALL": "C", "GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", **extra}


def git(*words: str | Path, data: bytes | None = None) -> bytes:
    """Run git and return its output; ToolError with its complaint if it fails."""
    return run_tool(("git", *SETTINGS, *words), env=environment(), data=data)
