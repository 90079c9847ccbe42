# SPDX-License-Identifier: Apache-2.0
"""Kernel sources in all suites of Debian, from the mirror of this machine."""

import re
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from harness.base.errors import SourceError
from harness.base.paths import cache_directory
from harness.base.progress import say
from harness.base.space import MIB
from harness.kernel.source.apt import Package, PackageLists, find_package, machine_lists
from harness.kernel.source.version import parse_version

RELEASES = ("oldoldstable", "oldstable", "stable")
"""Releases by their permanent names; the names of backports suites need the code names."""

BEYOND = ("sid", "experimental")
"""Suites without a release."""

ALL_SIZE = 1024 * MIB
"""Bytes of the lists of all suites; measured: 300 MiB, more while they are written."""

_STANZA = """\
Types: deb
URIs: {mirror}
Suites: {suites}
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
"""
"""The keyring of package debian-archive-keyring, which every Debian has."""

_NO_PACKAGES = "Targets: none\n"
"""Fetch only the Release file of a suite."""

_NAME = re.compile(r"[a-z][\w-]*")
_ROW = re.compile(r" *(linux-source-\d+\.\d+) \| *(\S+) \| \S+ ([^/ ]+)/main \S+ Packages")


@dataclass(frozen=True)
class SuiteKernel:
    """A kernel source in a suite, by its package's name and version."""

    suite: str
    package: str
    version: str

    @property
    def order(self) -> Version:
        """Grows with the kernel's version."""
        return parse_version(self.version)


def suite_lists(suite: str) -> PackageLists:
    """The packages of *suite*, on the mirror of this machine; SourceError for an invalid name."""
    if not _NAME.fullmatch(suite):
        raise SourceError(f"'{suite}' is not a Debian suite. Expected for example 'sid'.")
    return PackageLists(_root(f"suite-{suite}"), _stanza(suite))


def find_in_suite(suite: str, name: str) -> Package:
    """Look up the newest package *name* of *suite*; SourceError lists the kernels of the mirror."""
    if found := suite_lists(suite).find(name):
        return found
    there = ", ".join(sorted({f"{kernel.suite}/{kernel.package}" for kernel in candidates()}))
    raise SourceError(
        f"'{suite}/{name}' is not on this machine's Debian mirror. "
        f"It has: {there or 'nothing that can be reached now'}."
    )


def find_source(name: str) -> Package:
    """Look up the newest *name* in this machine's own sources, else in all suites of its mirror.

    Debian 12 has Linux 6.12 in its security updates, which not every machine has among its sources.
    Raises SourceError if it is nowhere.
    """
    own = machine_lists()
    if found := own.find(name):
        return found
    elsewhere = [] if own.complaint else [one for one in candidates() if one.package == name]
    if not elsewhere:
        return find_package(name)  # which says why it is not there
    suite = max(elsewhere, key=lambda kernel: kernel.order).suite
    say(f"{name} is not in this machine's package sources: it is taken from {suite}")
    return find_in_suite(suite, name)


def newest() -> SuiteKernel:
    """Return the newest kernel source of all suites; SourceError if none can be found."""
    if found := max(candidates(), key=lambda kernel: kernel.order, default=None):
        return found
    complaint = _all_lists().complaint
    raise SourceError(f"this machine's Debian mirror shows no kernel sources. {complaint}".strip())


def candidates() -> list[SuiteKernel]:
    """Return all kernel sources of all suites that the mirror has."""
    lists = _all_lists()
    names = lists.ask("apt-cache", "pkgnames", "linux-source-").split()
    rows = map(_ROW.match, lists.ask("apt-cache", "madison", *names).splitlines() if names else ())
    return [SuiteKernel(row[3], row[1], row[2]) for row in rows if row]


def _all_lists() -> PackageLists:
    """The packages of all suites; a suite that does not exist has none."""
    releases = " ".join(RELEASES)
    names = PackageLists(_root("names"), _stanza(releases) + _NO_PACKAGES).codenames()
    suites = [suite for name in names for suite in (name, f"{name}-backports")]
    return PackageLists(
        _root("all"), _stanza(" ".join((*suites, *BEYOND))), ALL_SIZE, all_there=False
    )


def _root(name: str) -> Path:
    return cache_directory() / "apt-suites" / name


def _stanza(suites: str) -> str:
    return _STANZA.format(mirror=_mirror(), suites=suites)


def _mirror() -> str:
    """Return the address from which this machine gets Debian's packages."""
    words = ("--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian", "Label: Debian")
    if mirrors := machine_lists().ask("apt-get", "indextargets", *words).split():
        return mirrors[0]
    raise SourceError(
        "none of this machine's package sources is a Debian mirror. Check 'apt-cache policy', "
        "or give another kernel source (directory, tarball, git:PATH@REVISION)."
    )
