# SPDX-License-Identifier: Apache-2.0
"""Git repositories that tests make: one author, and nothing of the user's configuration."""

import os
import subprocess
from pathlib import Path

WHO = {"NAME": "A Tester", "EMAIL": "tester@example.org"}

ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    **{
        f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in WHO.items()
    },
}


def git(repository: Path, *words: str) -> str:
    """Run git there; returns what it printed, without white space around it."""
    command = ["git", "-C", str(repository), *words]
    environment = {**os.environ, **ENVIRONMENT}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return done.stdout.strip()


def commit_all(tree: Path, message: str = "x") -> str:
    """Commit all files of *tree*, the first time as branch main; returns the commit."""
    if not (tree / ".git").exists():
        git(tree, "init", "--quiet", "--initial-branch=main")
    git(tree, "add", "--all")
    git(tree, "commit", "--quiet", f"--message={message}")
    return git(tree, "rev-parse", "HEAD")
