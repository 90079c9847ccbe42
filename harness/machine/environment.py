# SPDX-License-Identifier: Apache-2.0
"""Environment: what all machines of an attack matrix or a fuzzing campaign share."""

from dataclasses import dataclass

from harness.kernel import Initramfs, Kernel
from harness.machine.binary import Qemu


@dataclass(frozen=True)
class Environment:
    """The QEMU, the kernel under test, and the programs of the guest."""

    qemu: Qemu
    kernel: Kernel
    initramfs: Initramfs
