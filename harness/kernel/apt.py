# SPDX-License-Identifier: Apache-2.0
"""Debian packages through the machine's own package sources, and without touching its state.

apt runs on private lists under our cache directory: no root is needed, nothing gets installed,
and packages for arm64 can be had on any Debian machine. apt verifies what it downloads.
"""

import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

from harness.cache import Cache, digest
from harness.errors import SourceError
from harness.kernel.space import MIB, require_space
from harness.paths import cache_directory
from harness.progress import Step, say, step
from harness.tools import find_tool, run_tool

FRESH = 24 * 3600.0
"""Seconds after which package lists are refreshed."""

LISTS_SIZE = 160 * MIB
"""Bytes of the lists of Debian 12 with its updates, and of apt's caches of them: measured, 89 MiB,
and twice the caches while they are written."""

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
"""On top of the machine's own settings (proxies, pins). The hooks that are cleared would work on
the machine's state; the download user of apt could not enter a private directory."""

_STATUS = re.compile(r"dlstatus:\d+:([0-9.]+):(.*)")


@dataclass(frozen=True)
class Package:
    """A package that can be downloaded: name, version and the SHA-256 that apt will check."""

    name: str
    version: str
    sha256: str


def find_package(name: str) -> Package:
    """Look up the newest *name* for arm64; the network is used only if lists are missing or old.

    Raises SourceError if the machine's package sources do not have it.
    """
    root = _root()
    with FileLock(root / "lock"):
        refused = _refresh() if _age() > FRESH else ""
        found = _show(name)
        if found is None and not refused and _age() > 60:
            refused = _refresh()
            found = _show(name)
    if found is None:
        reason = f" Refreshing the lists failed: {refused}" if refused else ""
        raise SourceError(
            f"the package '{name}' (for arm64) is not in this machine's package sources.{reason} "
            f"Look at 'apt-cache policy {name}' and at /etc/apt/sources.list*; "
            "another kernel source (directory, tarball, git:PATH@REVISION) can be given instead."
        )
    return found


def fetch_package(package: Package) -> Path:
    """Return the downloaded ``.deb`` of *package*, from the cache if it is there.

    Raises SourceError if it can not be downloaded.
    """
    key = digest(package.name, package.version, package.sha256)
    entry = Cache("packages").get(key, lambda directory: _download(package, directory))
    return next(entry.glob("*.deb"))


def extract_package(deb: Path, into: Path) -> None:
    """Unpack the files of *deb* under directory *into*."""
    run_tool(["dpkg-deb", "--extract", deb, into])


def _root() -> Path:
    """Return the private state directory, with the folders that apt does not make itself."""
    root = cache_directory() / "apt"
    for partial in (root / "lists/partial", root / "archives/partial"):
        partial.mkdir(parents=True, exist_ok=True)
    (root / "status").touch()
    return root


def _settings() -> Path:
    path = _root() / "apt.conf"
    user = "root" if os.geteuid() == 0 else ""
    path.write_text(_SETTINGS.format(root=path.parent, user=user))
    return path


def _apt(tool: str, *words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    argv: list[str | Path] = [find_tool(tool), "-c", _settings(), *words]
    env = {**os.environ, "LC_ALL": "C"}
    return subprocess.run(argv, check=False, cwd=cwd, env=env, capture_output=True, text=True)


def _age() -> float:
    """Seconds since the lists were last refreshed, or it was last tried."""
    try:
        return time.time() - (_root() / "refreshed").stat().st_mtime
    except FileNotFoundError:
        return float("inf")


def _refresh() -> str:
    """Refresh the package lists; return what apt complained about."""
    require_space(_root(), LISTS_SIZE, "the package lists")
    with step("package lists"):
        done = _apt("apt-get", "update")
    complaint = " ".join(line for line in done.stderr.splitlines() if line.startswith("E:"))
    if complaint:
        say(f"package lists: could not be refreshed wholly ({complaint}); going on with old ones")
    (_root() / "refreshed").touch()
    return complaint


def _show(name: str) -> Package | None:
    shown = _apt("apt-cache", "show", "--no-all-versions", name)
    fields = dict(line.split(": ", 1) for line in shown.stdout.splitlines() if ": " in line)
    if shown.returncode != 0 or fields.get("Package") != name:
        return None
    return Package(name, fields["Version"], fields["SHA256"])


def _download(package: Package, directory: Path) -> None:
    title = f"downloading {package.name} {package.version}"
    wanted = f"{package.name}={package.version}"
    with step(title) as progress, tempfile.TemporaryFile("w+") as complaint:
        reading, writing = os.pipe()
        options = ("-c", _settings(), "-o", f"APT::Status-Fd={writing}")
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
                f"{title} failed: {complaint.read().strip()} Check the network; "
                "a run needs it only for packages that are not in the cache."
            )


def _follow(status: int, progress: Step) -> None:
    """Show the percentages that apt writes to file descriptor *status*."""
    with open(status) as lines:
        for line in lines:
            found = _STATUS.match(line)
            if found:
                progress.update(int(float(found[1])), 100, found[2])
