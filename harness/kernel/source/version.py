# SPDX-License-Identifier: Apache-2.0
"""Kernel versions and ranges of them, for example ``>=6.1,<6.9``."""

import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from harness.base.errors import ConfigError, SourceError

_NUMBERS = re.compile(r"\d+(\.\d+)*")
_PARTS = re.compile(r"^(VERSION|PATCHLEVEL|SUBLEVEL) *= *(\d+)$", re.MULTILINE)


def parse_version(release: str) -> Version:
    """Return the leading numbers: 6.12.117-rc1 is 6.12.117, a Debian 7.3~rc7-1 is 7.3.

    Raises SourceError if there are none.
    """
    if found := _NUMBERS.match(release):
        return Version(found[0])
    raise SourceError(f"'{release}' is not a kernel version. Expected for example 6.12.")


def read_version(makefile: str, title: str) -> Version:
    """Return the version that a kernel's top Makefile states; SourceError if it states none."""
    parts = dict(_PARTS.findall(makefile))
    if len(parts) < 3:
        raise SourceError(f"{title} is not a complete Linux source: its Makefile has no version.")
    return Version("{VERSION}.{PATCHLEVEL}.{SUBLEVEL}".format(**parts))


def parse_range(text: str, place: str) -> SpecifierSet:
    """Read a range of versions; ConfigError, with *place* (FILE:LINE), if it is not valid."""
    try:
        return SpecifierSet(text)
    except InvalidSpecifier as fault:
        raise ConfigError(
            f"{place}: '{text}' is not a range of kernel versions. Expected for example >=6.1,<6.9."
        ) from fault
