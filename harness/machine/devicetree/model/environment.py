# SPDX-License-Identifier: Apache-2.0
"""What a prediction depends on beside the devicetree: the kernel's version, and what is loaded."""

import re
from dataclasses import dataclass
from functools import cache

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from harness.base.address_range import AddressRange
from harness.base.changes import CHANGES
from harness.base.errors import InputError
from harness.machine.devicetree.region import Region

NEWEST, OLDEST = "7.3", "5.15"
"""The newest kernel that the rules were read in, and the first with restricted pools."""

LAST_PATCH = 9999
"""More than the last number of any version: stable series take changes from newer kernels."""

_VERSION = re.compile(
    r"v?(?P<series>\d{1,3}\.\d{1,4})(?P<patch>\.\d{1,4})?"
    r"(?:(?P<candidate>[-~]rc\d+)|(?P<build>-\d{1,4}\b))?(?:[-+~.][\w.+~-]*)?"
)
"""A version, and what follows: a release candidate, or the number of a distribution's build."""


@dataclass(frozen=True)
class KernelVersion:
    """A kernel to predict for: ``6.12.9``, or ``6.12`` for the newest of its series."""

    text: str

    @classmethod
    def parse(cls, text: str) -> "KernelVersion":
        """Read a version, also with what a release adds (6.12-rc1, 6.12.117+deb13-arm64).

        A release candidate has no change of the stable series yet. A distribution whose kernels
        keep the name 6.1.0-32-arm64 takes all of them. Raises InputError for another text, or a
        kernel without restricted pools.
        """
        found = _VERSION.fullmatch(text)
        if not found:
            raise InputError(f"'{text}' is not a kernel version. Expected for example 6.12 or 7.3.")
        patch = found["patch"] or (".0" if found["candidate"] else "")
        if found["build"] and patch == ".0":
            patch = ""
        version = found["series"] + patch
        if Version(version) < Version(OLDEST):
            raise InputError(
                f"Linux {version} has no restricted DMA pools: they came with {OLDEST}. "
                "Every device is unrestricted there."
            )
        return cls(version)

    @property
    def is_known(self) -> bool:
        """Whether the rules were read in this kernel, or in an older and a newer one."""
        return Version(self.text).release[:2] <= Version(NEWEST).release[:2]

    def within(self, kernels: str) -> bool:
        """Whether the version is in the range *kernels*, for example ``>=6.12,<6.19``."""
        return _within(self._newest, kernels)

    def has(self, change: str) -> bool:
        """Whether a kernel of that version has a change of harness/base/changes.py."""
        return Version(self._newest) >= Version(CHANGES[change].since)

    @property
    def _newest(self) -> str:
        return self.text if self.text.count(".") > 1 else f"{self.text}.{LAST_PATCH}"


def since(change: str) -> str:
    """The range of versions that have a change of harness/base/changes.py."""
    return f">={CHANGES[change].since}"


def before(change: str) -> str:
    """The range of versions without it."""
    return f"<{CHANGES[change].since}"


@cache
def _within(version: str, kernels: str) -> bool:
    return SpecifierSet(kernels).contains(Version(version))


@dataclass(frozen=True)
class Environment:
    """What the boot loader and the kernel's configuration add to a devicetree.

    *loaded* are the ranges of the kernel's image, the initial RAM disk and the blob itself, as far
    as they are known; *ram* is what the boot loader writes into the memory nodes. Sizes in bytes:
    *page* is 4, 16 or 64 KiB.
    """

    loaded: tuple[Region, ...] = ()
    ram: tuple[AddressRange, ...] = ()
    page: int = 4096

    @property
    def largest_table(self) -> int:
        """Bytes that kcalloc() returns at most: the largest order of the page allocator.

        10 for pages of 4 KiB, 11 for 16 KiB, 13 for 64 KiB (arch/arm64/Kconfig,
        ARCH_FORCE_MAX_ORDER).
        """
        return self.pageblock

    @property
    def pageblock(self) -> int:
        """The alignment of contiguous memory (CMA) without huge pages, bytes."""
        return self.page << {4096: 10, 16384: 11}.get(self.page, 13)
