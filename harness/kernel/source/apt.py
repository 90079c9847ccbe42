# SPDX-License-Identifier: Apache-2.0
"""Debian packages through apt, without changing the machine's state.

apt runs on private lists in our cache directory: it needs no root, installs nothing, and finds
packages for arm64 on any Debian machine. apt verifies what it downloads.
"""

import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from harness.base.cache import Cache, digest
from harness.base.cache.evict import added
from harness.base.errors import HostError, SourceError
from harness.base.paths import cache_directory
from harness.base.progress import ProgressStep, say, step
from harness.base.space import MIB, require_space
from harness.base.tools import find_tool, has_apt, run_tool

FRESH = 24 * 3600.0
"""Seconds after which package lists are refreshed."""

LISTS_SIZE = 160 * MIB
"""Bytes of the lists of Debian 12 with its updates, and of apt's caches of them: measured, 89 MiB,
and twice the caches while they are written."""

NO_APT = (
    "this system has no apt to find packages of Debian. Give a kernel by its directory "
    "(--kernel=DIR), and a static busybox for arm64 as HARNESS_BUSYBOX=FILE"
)

_SETTINGS = """\
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear APT::Architectures;
Dir::State "{root}";
Dir::State::status "{root}/status";
Dir::Cache "{root}";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
APT::Architecture "arm64";
APT::Architectures {{ "arm64"; }};
APT::Sandbox::User "{user}";
Acquire::Languages "none";
Acquire::http::Timeout "30";
Acquire::https::Timeout "30";
"""
"""Added to the machine's settings (proxies, pins). The cleared hooks would change the machine's
state; apt's download user cannot enter a private directory."""

_OTHER_SOURCES = """\
Dir::Etc::sourcelist "{root}/other.sources";
Dir::Etc::sourceparts "{root}/none";
"""

_CODENAME = re.compile(r"^Codename: (\S+)$", re.MULTILINE)
_STATUS = re.compile(r"dlstatus:\d+:([0-9.]+):(.*)")


@dataclass(frozen=True)
class PackageLists:
    """The packages of some sources, with an apt state of their own in directory *root*.

    *sources* are deb822 stanzas (see sources.list(5)); empty for the machine's own sources. *size*
    is the disk space for the lists, in bytes. *all_there*: whether each source must be there, and
    one that is not is said.
    """

    root: Path
    sources: str = ""
    size: int = LISTS_SIZE
    all_there: bool = True

    def find(self, name: str) -> "Package | None":
        """Look up the newest *name* for arm64, over the network if lists are missing or old."""
        with self.lock():
            refused = self._refresh_old()
            found = self._show(name)
            if found is None and not refused and self._age() > 60:
                self._refresh()
                found = self._show(name)
        return found

    def ask(self, tool: str, *words: str) -> str:
        """Return the output of an apt *tool* on the lists, which are refreshed if they are old."""
        with self.lock():
            self._refresh_old()
            return self._apt(tool, *words).stdout

    def codenames(self) -> list[str]:
        """Return the code names of all suites, from their Release files."""
        with self.lock():
            self._refresh_old()
        releases = sorted((self.root / "lists").glob("*Release"))
        return [found[1] for path in releases if (found := _CODENAME.search(path.read_text()))]

    @property
    def complaint(self) -> str:
        """What apt complained about when the lists were last refreshed; empty if nothing."""
        try:
            return (self.root / "refreshed").read_text()
        except FileNotFoundError:
            return ""

    def settings(self) -> Path:
        """Write apt's settings, and make the directories that apt expects."""
        for directory in ("lists/partial", "archives/partial", "none"):
            (self.root / directory).mkdir(parents=True, exist_ok=True)
        (self.root / "status").touch()
        user = "root" if os.geteuid() == 0 else ""
        text = _SETTINGS + (_OTHER_SOURCES if self.sources else "")
        (self.root / "other.sources").write_text(self.sources)
        path = self.root / "apt.conf"
        path.write_text(text.format(root=self.root, user=user))
        return path

    def lock(self) -> FileLock:
        """The lock without which another process may change lists and settings while apt reads."""
        self.root.mkdir(parents=True, exist_ok=True)
        return FileLock(self.root / "lock")

    def _apt(self, tool: str, *words: str) -> subprocess.CompletedProcess[str]:
        if not has_apt():
            raise HostError(NO_APT)
        argv: list[str | Path] = [find_tool(tool), "-c", self.settings(), *words]
        env = {**os.environ, "LC_ALL": "C"}
        return subprocess.run(argv, check=False, env=env, capture_output=True, text=True)

    def _age(self) -> float:
        """Seconds since the last attempt to refresh the lists."""
        try:
            return time.time() - (self.root / "refreshed").stat().st_mtime
        except FileNotFoundError:
            return float("inf")

    def _refresh_old(self) -> str:
        return self._refresh() if self._age() > FRESH else ""

    def _refresh(self) -> str:
        """Refresh the package lists; return what apt complained about."""
        require_space(self.root, self.size, "refreshing the package lists")
        with step("package lists"):
            done = self._apt("apt-get", "update")
        complaint = " ".join(line for line in done.stderr.splitlines() if line.startswith("E:"))
        if complaint and self.all_there:
            say(
                f"package lists: not all could be refreshed ({complaint}); continuing with old ones"
            )
        (self.root / "refreshed").write_text(complaint)
        added(self.root)
        return complaint

    def _show(self, name: str) -> "Package | None":
        shown = self._apt("apt-cache", "show", "--no-all-versions", name)
        fields = dict(line.split(": ", 1) for line in shown.stdout.splitlines() if ": " in line)
        if shown.returncode != 0 or fields.get("Package") != name:
            return None
        depends = tuple(
            tuple(alternative.split()[0] for alternative in one.split("|"))
            for one in fields.get("Depends", "").split(",")
            if one.strip()
        )
        return Package(name, fields["Version"], fields["SHA256"], self, depends)


@dataclass(frozen=True)
class Package:
    """A package that can be downloaded: name, version and the SHA-256 that apt will check.

    *depends* are the names of the packages that it needs: one of each tuple.
    """

    name: str
    version: str
    sha256: str
    lists: PackageLists
    depends: tuple[tuple[str, ...], ...] = ()

    def fetch(self) -> Path:
        """Return the downloaded ``.deb``, from the cache if it is there.

        Raises SourceError if it cannot be downloaded.
        """
        key = digest(self.name, self.version, self.sha256)
        entry = Cache("packages").get(key, self._download)
        return next(entry.glob("*.deb"))

    def _download(self, directory: Path) -> None:
        title = f"downloading {self.name} {self.version}"
        wanted = f"{self.name}={self.version}"
        with (
            step(title) as progress,
            tempfile.TemporaryFile("w+") as complaint,
            self.lists.lock(),
        ):
            reading, writing = os.pipe()
            options = ("-c", self.lists.settings(), "-o", f"APT::Status-Fd={writing}")
            with subprocess.Popen(
                [find_tool("apt-get"), *options, "download", wanted],
                cwd=directory,
                env={**os.environ, "LC_ALL": "C"},
                stdout=subprocess.DEVNULL,
                stderr=complaint,
                pass_fds=(writing,),
            ) as process:
                os.close(writing)
                _follow(reading, progress)
            complaint.seek(0)
            if process.returncode != 0:
                raise SourceError(
                    f"{title} failed: {complaint.read().strip()} Check the network, "
                    "which is needed for packages that are not in the cache."
                )


def machine_lists() -> PackageLists:
    """The packages of this machine's own sources."""
    return PackageLists(cache_directory() / "apt")


def find_package(name: str) -> Package:
    """Look up the newest *name* for arm64 in the machine's own sources.

    Raises SourceError if they have none.
    """
    lists = machine_lists()
    if found := lists.find(name):
        return found
    reason = f" Refreshing the lists failed: {lists.complaint}" if lists.complaint else ""
    raise SourceError(
        f"the package '{name}' (for arm64) is not in this machine's package sources.{reason} "
        f"Check 'apt-cache policy {name}' and /etc/apt/sources.list*, or give "
        "another kernel source (directory, tarball, git:PATH@REVISION)."
    )


def extract_package(deb: Path, into: Path, *patterns: str) -> None:
    """Unpack the files of *deb* under directory *into*; with *patterns* those that match one.

    A pattern is one of tar's, such as ``./boot/*``.
    """
    if not patterns:
        run_tool(["dpkg-deb", "--extract", deb, into])
        return
    tar = [str(find_tool("tar")), "--extract", "--directory", str(into), "--wildcards", *patterns]
    with subprocess.Popen(
        [find_tool("dpkg-deb"), "--fsys-tarfile", deb], stdout=subprocess.PIPE
    ) as unpacking:
        done = subprocess.run(tar, stdin=unpacking.stdout, check=False, capture_output=True)
    if done.returncode != 0:
        raise SourceError(
            f"{deb.name} has no files {' '.join(patterns)}: {done.stderr.decode().strip()[:500]}"
        )


def _follow(status: int, progress: ProgressStep) -> None:
    """Show the percentages that apt writes to file descriptor *status*."""
    with open(status) as lines:
        for line in lines:
            found = _STATUS.match(line)
            if found:
                progress.update(int(float(found[1])), 100, found[2])
