# SPDX-License-Identifier: Apache-2.0
"""What a built kernel can do, found once: its version, its options, whether its types are known."""

import functools
from collections.abc import Mapping
from dataclasses import dataclass

from packaging.version import Version

from harness.kernel.build.fragment import UNSET
from harness.kernel.build.kconfig import read_config
from harness.kernel.source.version import parse_version
from harness.kernel.spec import Kernel

FEATURE = "DMA_RESTRICTED_POOL"
"""The option that every test needs which does not say what it needs of it."""


@dataclass(frozen=True)
class Abilities:
    """*version* has only the numbers of the release: 6.12.117-rc1 is 6.12.117.

    *options* are all that are set, without ``CONFIG_``, with their values. *types* is whether the
    types of the kernel's memory are known (DWARF).
    """

    version: Version
    options: Mapping[str, str]
    types: bool

    def has(self, option: str) -> bool:
        """Whether it has *option*, for example ``SWIOTLB_DYNAMIC=y``; True if that is empty."""
        symbol, _, value = option.partition("=")
        return not symbol or self.options.get(symbol, UNSET) == value

    @property
    def restricts(self) -> bool:
        """Whether it has restricted pools at all."""
        return FEATURE in self.options


def is_set(kernel: Kernel, symbol: str) -> bool:
    """Whether *kernel* was built with option *symbol*; False if its configuration is not known."""
    return kernel.config.is_file() and symbol in abilities_of(kernel).options


@functools.cache
def abilities_of(kernel: Kernel) -> Abilities:
    """The abilities of *kernel*."""
    return Abilities(parse_version(kernel.release), read_config(kernel.config), kernel.types)
