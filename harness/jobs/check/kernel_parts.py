# SPDX-License-Identifier: Apache-2.0
"""Parts of a kernel that a check needs: of the guest, and of each driver."""

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

from harness.base.errors import InputError
from harness.devices.drivers import DRIVERS, Driver, Part
from harness.kernel import Kernel
from harness.kernel.build.kconfig import read_config
from harness.kernel.build.modules import Module, load_order

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

USEFUL_MODULES = ("pvpanic_pci", "qemu_fw_cfg")
"""Modules that a guest is better with."""


_REFUSED = re.compile(r"loader: loading /lib/modules/(\w+)\.ko: (.*)")
"""guest/loader/loader.c"""


class KernelParts:
    """What *kernel* has, by its configuration and its modules.

    *tree* is a directory with its modules, for a kernel that came without any.
    """

    def __init__(self, kernel: Kernel, tree: Path | None = None) -> None:
        self._kernel = kernel
        self._modules = kernel.modules or tree
        self._faults: dict[str, str] = {}

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
        needs = next(self._modules_of(parts), None)
        if needs and self._modules is None:
            return f"CONFIG_{needs.option}=m, and the kernel came without its modules"
        return ""

    def unloadable(self, parts: Sequence[Part]) -> str:
        """Why a module of *parts*, which the kernel has, cannot be loaded; empty if all can.

        It is not there, it is damaged, or one that it needs is.
        """
        reasons = (
            (part.option, self._fault(part.module))
            for part in self._modules_of(parts)
            if self._modules is not None
        )
        return next((f"CONFIG_{option}=m, and {why}" for option, why in reasons if why), "")

    def modules(self) -> tuple[Module, ...]:
        """The modules to load in the guest, in their order, of all that can be used."""
        return self._loaded

    @cached_property
    def _loaded(self) -> tuple[Module, ...]:
        if self._modules is None:
            return ()
        usable = (
            driver.parts
            for driver in DRIVERS
            if not self.lacking(driver.parts) and not self.unloadable(driver.parts)
        )
        parts = (part for group in (GUEST_PARTS, *usable) for part in self._modules_of(group))
        useful = (name for name in USEFUL_MODULES if not self._fault(name))
        return load_order(self._modules, (*useful, *(part.module for part in parts)))

    def _modules_of(self, parts: Sequence[Part]) -> Iterator[Part]:
        """Those of *parts* that are modules."""
        return (one for one in parts if one.module and self._options.get(one.option) == "m")

    def _fault(self, module: str) -> str:
        """Why *module* cannot be loaded into the guest; empty if it can."""
        if module not in self._faults:
            self._faults[module] = self._find_fault(module)
        return self._faults[module]

    def _find_fault(self, module: str) -> str:
        assert self._modules is not None
        try:
            found = load_order(self._modules, (module,))
        except InputError as fault:
            return str(fault).removesuffix(".")
        return "" if found else f"the module {module} is not among the kernel's"

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
