# SPDX-License-Identifier: Apache-2.0
"""What a rule is, and the source files of the kernel that rules name."""

from dataclasses import dataclass
from enum import IntEnum

from harness.machine.devicetree.model.environment import KernelVersion

RESERVED_MEM_C = "drivers/of/of_reserved_mem.c"
DEVICE_C = "drivers/of/device.c"
SWIOTLB_C = "kernel/dma/swiotlb.c"
PLATFORM_C = "drivers/of/platform.c"
FDT_C = "drivers/of/fdt.c"


class Level(IntEnum):
    """How bad it is: NOTE explains, WARNING costs or may fail, ERROR is not restricted or fatal."""

    NOTE = 0
    WARNING = 1
    ERROR = 2

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True)
class Rule:
    """One rule.

    *kernels* is a range of versions, empty for all; *function* the kernel's code as
    ``file:function()``; *text* what the kernel does; *advice* what a devicetree's author can do;
    *finding* the entry of docs/findings.md.
    """

    name: str
    level: Level
    kernels: str
    function: str
    text: str
    advice: str = ""
    finding: str = ""

    @property
    def entry(self) -> str:
        """Where the finding is described, with GitHub's anchor; empty if there is none."""
        return f"docs/findings.md#{self.finding.replace('.', '')}" if self.finding else ""

    def holds(self, kernel: KernelVersion) -> bool:
        """Whether that kernel does so."""
        return kernel.within(self.kernels)
