# SPDX-License-Identifier: Apache-2.0
"""Resolve a revision to a commit, in a local or remote repository."""

import re
from functools import partial
from pathlib import Path

from harness.base.cache import digest
from harness.base.errors import SourceError, ToolError
from harness.base.progress import say
from harness.kernel.source.git import git

_COMMIT = re.compile(r"[0-9a-f]{40}")


def local_commit(repository: Path, revision: str) -> str:
    """Return the commit id of *revision*; SourceError if the repository has none."""
    try:
        return _parse(repository, revision)
    except ToolError as fault:
        raise SourceError(f"{repository} has no revision '{revision}': {fault}") from fault


def remote_commit(repository: Path, url: str, revision: str) -> str:
    """Fetch *revision* from *url* into the bare *repository*, and return its commit id.

    A full commit id that is present is not fetched. Raises SourceError if the fetch fails.
    """
    git("init", "--quiet", "--bare", repository)
    kept = f"refs/harness/{digest(revision)}"
    here = partial(_parse, repository)
    if _COMMIT.fullmatch(revision) and _has(repository, revision):
        return here(revision)
    try:
        git("-C", repository, "fetch", "--quiet", "--depth=1", url, f"+{revision}:{kept}")
    except ToolError as fault:
        if not _has(repository, kept):
            raise SourceError(
                f"'{revision}' cannot be fetched from {url} (a branch, a tag or a full commit id "
                f"is needed): {fault}"
            ) from fault
        say(f"git: {url} does not answer; continuing with the '{revision}' of an earlier run")
    return here(kept)


def _parse(repository: Path, revision: str) -> str:
    name = f"{revision}^{{commit}}"
    return git("-C", repository, "rev-parse", "--verify", "--quiet", name).decode().strip()


def _has(repository: Path, revision: str) -> bool:
    try:
        _parse(repository, revision)
    except ToolError:
        return False
    return True
