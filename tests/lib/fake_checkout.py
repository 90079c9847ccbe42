# SPDX-License-Identifier: Apache-2.0
"""A checkout with one real script, for tests of what that script does with the others."""

import shutil
from collections.abc import Mapping
from pathlib import Path

from scratch_git import commit_all

from harness.base.paths import CHECKOUT


def fake_checkout(root: Path, script: str, programs: Mapping[str, str]) -> Path:
    """Make *root* a repository of one commit, with *script* and shell *programs* by their paths."""
    for name, text in programs.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
    shutil.copy(CHECKOUT / script, root / script)
    commit_all(root)
    return root
