# SPDX-License-Identifier: Apache-2.0
"""The CPU of a machine: the simplest one that has what the kernel needs, if QEMU has it."""

from dataclasses import dataclass
from functools import cache

from harness.base.space import KIB
from harness.kernel import Kernel
from harness.kernel.abilities import is_set
from harness.machine import memory_tags
from harness.machine.binary import Qemu

NEEDS_TAGS = "KASAN_HW_TAGS"
"""The option of a kernel that keeps its tags in memory: without such memory it checks nothing
(arch/arm64, FEAT_MTE2)."""


@dataclass(frozen=True)
class Cpu:
    """A *model* as QEMU names it, and options of the *board* that belong to it."""

    model: str
    board: str = ""


PLAIN = Cpu("cortex-a57")
"""It has pages of 4 and 64 KiB (QEMU, target/arm/cpu64.c, its ID_AA64MMFR0)."""

PAGES_16K = Cpu("cortex-a76")
"""It has pages of 16 KiB as well; the oldest such model of QEMU 7.2."""

TAGS = Cpu(memory_tags.MODEL, memory_tags.BOARD)
"""It has memory tags."""


@cache
def cpu_for(kernel: Kernel, qemu: Qemu) -> Cpu:
    """The CPU that *kernel* needs; without memory tags where *qemu* does not keep them.

    The kernel then runs without KASAN, as on any CPU that has no tags.
    """
    if needs_tags(kernel) and not memory_tags.tags_fault(qemu):
        return TAGS
    return PAGES_16K if kernel.page_size == 16 * KIB else PLAIN


def needs_tags(kernel: Kernel) -> bool:
    """Whether *kernel* uses memory tags if the CPU has them."""
    return is_set(kernel, NEEDS_TAGS)
