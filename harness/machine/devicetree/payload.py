# SPDX-License-Identifier: Apache-2.0
"""What QEMU loads into RAM before it starts the machine."""

from dataclasses import dataclass

from harness.base.address_range import AddressRange
from harness.base.space import MIB
from harness.machine.devicetree.model.prediction import KERNEL
from harness.machine.devicetree.region import Region

KERNEL_OFFSET = 2 * MIB
INITRD_OFFSET = 128 * MIB
DTB_ALIGNMENT = 2 * MIB


@dataclass(frozen=True)
class BootPayload:
    """Sizes in bytes of what QEMU loads before it starts the machine.

    *kernel* is the image with its bss (``image_size`` of its header), *initrd* the archive. The
    defaults leave room for a kernel with KASAN.
    """

    kernel: int = 64 * MIB
    initrd: int = 32 * MIB

    def loaded(self, ram: AddressRange) -> tuple[Region, ...]:
        """The ranges that QEMU 7.2 loads to, in the lowest bank of *ram*.

        hw/arm/boot.c:load_aarch64_image, arm_setup_direct_kernel_boot.

        The initial RAM disk starts at half of RAM or 128 MiB, the lower of them, but not before the
        end of the kernel; the devicetree at the next multiple of 2 MiB after it.
        """
        kernel = kernel_place(ram.base, self.kernel)
        start = max(ram.base + min(ram.size // 2, INITRD_OFFSET), kernel.end)
        dtb = -(-(start + self.initrd) // DTB_ALIGNMENT) * DTB_ALIGNMENT
        behind = dtb + DTB_ALIGNMENT - start
        return kernel, Region(start, behind, "the initial RAM disk and the devicetree")


def kernel_place(ram_base: int, size: int) -> Region:
    """Where QEMU loads a kernel that takes *size* bytes of the RAM from *ram_base* on."""
    return Region(ram_base + KERNEL_OFFSET, size, KERNEL)
