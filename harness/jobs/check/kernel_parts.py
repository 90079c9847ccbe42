# SPDX-License-Identifier: Apache-2.0
"""Parts of a kernel that a check needs: of the guest, and of each driver."""

import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from harness.base.errors import InputError
from harness.devices.drivers import DRIVERS, Driver, Part
from harness.kernel import Kernel
from harness.kernel.build.kconfig import read_config
from harness.kernel.build.modules import Module, load_order, module_files

FEATURE = "DMA_RESTRICTED_POOL"

GUEST_PARTS = (
    Part("PCI_HOST_GENERIC", "pci_host_generic"),
    Part("SERIAL_8250_PCI", "8250_pci"),
    Part("SERIAL_AMBA_PL011_CONSOLE", ""),
    Part("BLK_DEV_INITRD", ""),
    Part("BINFMT_ELF", ""),
    Part("DEVTMPFS", ""),
    Part("SYSFS", ""),
    Part("PROC_FS", ""),
    Part("SIGNALFD", ""),
)
"""What a guest needs: the agent's serial line, a console, file systems.
What has no module can only be built in."""

USEFUL_PARTS = (Part("PVPANIC_PCI", "pvpanic_pci"), Part("FW_CFG_SYSFS", "qemu_fw_cfg"))
"""What a guest is better with."""


_REFUSED = re.compile(r"loader: loading /lib/modules/(\w+)\.ko: (.*)")
"""guest/loader/loader.c"""


class KernelParts:
    """What *kernel* has, by its configuration and its modules.

    *tree* is a directory with its modules, for a kernel that came without any.
    """

    def __init__(self, kernel: Kernel, tree: Path | None = None) -> None:
        self._kernel = kernel
        self._directory = kernel.modules or tree

    @cached_property
    def _options(self) -> Mapping[str, str]:
        return read_config(self._kernel.config)

    @property
    def feature(self) -> bool:
        """Whether it was built with restricted pools."""
        return self._options.get(FEATURE) == "y"

    @property
    def hotplug(self) -> bool:
        """Whether devices can appear while it runs."""
        return self._options.get("HOTPLUG_PCI_PCIE") == "y"

    def lacking(self, parts: Sequence[Part]) -> str:
        """Why the kernel has not all of *parts*, in a few words; empty if it has."""
        unset = [f"CONFIG_{one.option}" for one in parts if one.option not in self._options]
        if unset:
            return f"{' and '.join(unset)} {'is' if len(unset) == 1 else 'are'} not set"
        modular = self._modular(parts)
        if modular and self._directory is None:
            return f"CONFIG_{modular[0].option}=m, and the kernel came without its modules"
        return ""

    def unloadable(self, parts: Sequence[Part]) -> str:
        """Why a module of *parts*, which the kernel has, cannot be loaded; empty if all can.

        The module is missing or damaged, or one that it needs is.
        """
        for part in self._modular(parts):
            try:
                found = load_order(self._files, (part.module,))
            except InputError as fault:
                return f"CONFIG_{part.option}=m, and {str(fault).removesuffix('.')}"
            if not found:
                return f"CONFIG_{part.option}=m, and the kernel came without {part.module}.ko"
        return ""

    @cached_property
    def modules(self) -> tuple[Module, ...]:
        """The modules to load in the guest, in their order: those of what can be used."""
        groups = (*([one] for one in USEFUL_PARTS), GUEST_PARTS, *(one.parts for one in DRIVERS))
        usable = (one for one in groups if not self.lacking(one) and not self.unloadable(one))
        parts = (part for group in usable for part in self._modular(group))
        return load_order(self._files, (part.module for part in parts))

    @cached_property
    def _files(self) -> Mapping[str, Path]:
        return module_files(self._directory) if self._directory else {}

    def _modular(self, parts: Sequence[Part]) -> list[Part]:
        """Those of *parts* that are modules of this kernel."""
        return [one for one in parts if one.module and self._options.get(one.option) == "m"]

    def require_guest(self) -> None:
        """Raise InputError if a guest with this kernel could not be spoken to."""
        release = self._kernel.release
        if reason := self.lacking(GUEST_PARTS):
            raise InputError(
                f"kernel {release} cannot run in the harness: {reason}. Set the option, and build "
                "the kernel again"
            )
        if reason := self.unloadable(GUEST_PARTS):
            raise InputError(f"kernel {release} cannot run in the harness: {reason}.")


def refused_module(driver: Driver, log: Sequence[str]) -> str:
    """Which of the driver's modules the kernel refused, and why, by its *log*; empty if none."""
    found = filter(None, map(_REFUSED.search, log))
    refused = {one[1]: one[2] for one in found}
    for part in driver.parts:
        if reason := refused.get(part.module):
            about = re.compile(rf"\] (module )?{part.module}: ")
            said = next(filter(about.search, log), "")
            more = f"; {said}" if said else ""
            return f"the kernel refused its module {part.module}: {reason}{more}"
    return ""


def driver_name(driver: Driver) -> str:
    """The driver on the PCI bus, whose DMA it is, and the one that uses it, if that is another."""
    module = driver.parts[0].module
    return driver.pci_driver + ("" if _same(driver.pci_driver, module) else f" with {module}")


def _same(one: str, other: str) -> bool:
    return one.replace("-", "_") == other
