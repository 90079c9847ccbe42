# SPDX-License-Identifier: Apache-2.0
"""The commits between two revisions, searched by ``git bisect`` in a clone of the harness's own.

The clone shares the objects of the user's repository, which is never written, and has no work
tree. Every step replays all answers to git, so that no state is kept between steps.
"""

import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base.cache import digest
from harness.base.cache.evict import growing
from harness.base.errors import InputError, SourceError, ToolError
from harness.base.paths import cache_directory
from harness.base.progress import step
from harness.base.tools import find_tool
from harness.jobs.bisect.search import Candidate, Found, Known, Word
from harness.kernel import KernelSpec
from harness.kernel.source.git import SETTINGS, environment, git
from harness.kernel.source.revision import local_commit

_FIRST = re.compile(r"^([0-9a-f]{40}) is the first '?bad'? commit$", re.MULTILINE)
_SKIPPED = re.compile(r"^([0-9a-f]{40})$", re.MULTILINE)

ONLY_SKIPPED = 2
"""Exit code of ``git bisect`` if only skipped commits are left."""

SHORT = 12


@dataclass(frozen=True)
class Commits:
    """The commits of *repository* that lead from *good* to *bad*, both full ids."""

    repository: Path
    spec: KernelSpec
    good: str
    bad: str

    @property
    def identity(self) -> str:
        """The hash of both ends."""
        return digest("commits", self.good, self.bad)

    def next(self, known: Known) -> str | Found:
        """Replay all answers to ``git bisect`` and return its next commit."""
        names = {word: [name for name, one in known.items() if one is word] for word in Word}
        bad = names[Word.BAD][-1]  # each leads to the one before it
        with self._clone() as clone:
            said, code = _bisect(clone, "start", "--no-checkout", bad, *names[Word.GOOD])
            if names[Word.SKIP] and not _FIRST.search(said):
                said, code = _bisect(clone, "skip", *names[Word.SKIP])
            if code == ONLY_SKIPPED:
                return Found(tuple(_SKIPPED.findall(said)))
            if found := _FIRST.search(said):
                return Found((found[1],))
            return local_commit(clone, "BISECT_HEAD")

    def candidate(self, name: str) -> Candidate:
        """The commit *name*, called by its subject."""
        subject = git("-C", self.repository, "log", "-1", "--format=%s", name).decode().strip()
        source = f"git:{self.repository}@{name}"
        return Candidate(name, f'{name[:SHORT]} ("{subject}")', replace(self.spec, source=source))

    def log(self, known: Known) -> str:
        """A log for ``git bisect replay``."""
        with self._clone() as clone:
            for words in self._lines(known):
                _bisect(clone, *words)
            return _bisect(clone, "log")[0].strip()

    def _lines(self, known: Known) -> Iterator[Sequence[str]]:
        yield ("start", "--no-checkout", self.bad, self.good)
        for name, word in known.items():
            if name not in (self.good, self.bad):
                yield (word.value, name)

    @contextmanager
    def _clone(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory() as scratch:
            clone = Path(scratch) / "clone"
            git("clone", "--quiet", "--bare", "--shared", self.repository, clone)
            git("-C", clone, "update-ref", "--no-deref", "HEAD", self.good)  # bisect wants one
            yield clone


def find_commits(spec: KernelSpec, repository: str, good: str, bad: str) -> Commits:
    """Find the revisions in *repository*, a path or a URL.

    Raises InputError unless the good one leads to the bad one, SourceError for a revision that is
    not there, or a repository that cannot be fetched.
    """
    local = Path(repository).expanduser()
    place = local.resolve() if local.is_dir() else _fetched(repository)
    first, last = (local_commit(place, name) for name in (good, bad))
    try:
        git("-C", place, "merge-base", "--is-ancestor", first, last)
    except ToolError as fault:
        raise InputError(
            f"{good} is not an ancestor of {bad} in {place}. Expected a good revision, and a "
            "later bad one."
        ) from fault
    if first == last:
        raise InputError(f"{good} and {bad} are the same commit of {place}.")
    return Commits(place, spec, first, last)


def _fetched(url: str) -> Path:
    """Bring the branches and tags of *url*, with all their history, into the cache."""
    with growing(cache_directory() / "git" / f"{digest(url)}-history") as place:
        git("init", "--quiet", "--bare", place)
        try:
            with step(f"fetching the history of {url}"):
                git("-C", place, "fetch", "--quiet", "--tags", url, "+refs/heads/*:refs/heads/*")
        except ToolError as fault:
            raise SourceError(
                f"{url} is not a directory, and its history cannot be fetched: {fault}. Expected "
                "the path or the URL of a git repository."
            ) from fault
    return place


def _bisect(clone: Path, *words: str) -> tuple[str, int]:
    """Run ``git bisect``; ToolError if it fails otherwise than by running out of commits."""
    command = [str(find_tool("git")), *SETTINGS, "-C", str(clone), "bisect", *words]
    done = subprocess.run(
        command, check=False, env=environment(), capture_output=True, text=True, errors="replace"
    )
    if done.returncode not in (0, ONLY_SKIPPED):
        said = (done.stderr or done.stdout).strip()
        raise ToolError(f"'git bisect {' '.join(words)}' ended with {done.returncode}: {said}")
    return done.stdout, done.returncode
