# SPDX-License-Identifier: Apache-2.0
"""Virtio devices on the board's virtio-mmio transports."""

from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import InputError

TRANSPORTS = 32
"""Virtio-mmio transports of the ``virt`` board (QEMU, hw/arm/virt.c:NUM_VIRTIO_TRANSPORTS)."""

FIRST_TRANSPORT, TRANSPORT_SIZE = 0x0A00_0000, 0x200
"""Their address range (hw/arm/virt.c, base_memmap[VIRT_MMIO])."""

SECTOR = 512
"""Bytes of a sector of a disk (Virtio specification 1.2, 5.2.4)."""

MODERN = ("-global", "virtio-mmio.force-legacy=false")
"""Only a modern transport offers VIRTIO_F_ACCESS_PLATFORM."""


@dataclass(frozen=True)
class VirtioDevice:
    """A virtio device of QEMU's, on virtio-mmio transport number *transport* (0 to 31).

    *kind* is QEMU's name for it: rng, blk or balloon. *access_platform*: whether it offers
    VIRTIO_F_ACCESS_PLATFORM, without which Linux does not use the DMA API for it.
    """

    kind: str
    transport: int
    access_platform: bool = True

    def __post_init__(self) -> None:
        if not 0 <= self.transport < TRANSPORTS:
            raise InputError(
                f"no virtio-mmio transport {self.transport}: expected 0 to {TRANSPORTS - 1}"
            )

    @property
    def name(self) -> str:
        """Its id in QEMU."""
        return f"{self.kind}-{self.transport}"

    @property
    def node(self) -> str:
        """The path of its transport's node in the devicetree."""
        return f"/virtio_mmio@{FIRST_TRANSPORT + self.transport * TRANSPORT_SIZE:x}"

    def arguments(self, disk: Path) -> list[str]:
        """QEMU's arguments for it; a blk device has the content of *disk*, and never writes."""
        platform = "on" if self.access_platform else "off"
        place = f"bus=virtio-mmio-bus.{self.transport},iommu_platform={platform}"
        device = ["-device", f"virtio-{self.kind}-device,id={self.name},{place}"]
        if self.kind != "blk":
            return device
        drive = f"driver=file,node-name={self.name}-disk,filename={disk},read-only=on"
        return ["-blockdev", drive, "-device", f"{device[1]},drive={self.name}-disk"]
