# SPDX-License-Identifier: Apache-2.0
"""The text of a check: what a person reads first comes first."""

from harness.jobs.check import check_text
from harness.jobs.check.answers import (
    DeviceAnswer,
    DeviceState,
    DmaCall,
    Escape,
    KernelCheck,
    PoolAnswer,
    PoolTreatment,
)
from harness.machine.devicetree import Pool
from harness.machine.fence import Refusal

POOL = Pool(0x4F00_0000, 0x100_0000, "restricted-dma@4f000000", "pool", ("/pcie@10000000",))

ESCAPE = Escape(
    Refusal("0000:01:00.0", 0x486A_B000, "read", 1.0),
    16,
    DmaCall("dma_alloc", 0x486A_B000, 2048, ("nvme_alloc_queue", "nvme_probe")),
)

DEVICES = (
    DeviceAnswer("virtio-blk", "virtio-pci with virtio_blk", DeviceState.INSIDE, "48 MiB moved"),
    DeviceAnswer(
        "nvme", "nvme", DeviceState.OUTSIDE, ESCAPE.text, ESCAPE, ("[ 1.0] nvme nvme0: x",)
    ),
    DeviceAnswer("ahci", "ahci", DeviceState.UNBOUND, "its driver did not make it usable in 20 s"),
    DeviceAnswer("e1000e", "e1000e", DeviceState.LACKING, "CONFIG_E1000E is not set"),
)

TEXT = """\
kernel      6.12 (a package)
machine     QEMU 7.2, pool-pci-host
pool        restricted-dma@4f000000 [0x4f000000, 0x50000000): recognised

virtio-blk  inside         48 MiB moved
nvme        outside        read 0x486ab000, mapped by nvme_alloc_queue()
ahci        does not bind  its driver did not make it usable in 20 s
e1000e      no driver      CONFIG_E1000E is not set

nvme: outside
  refused     0000:01:00.0 (driver nvme) read 0x486ab000, the first of 16
  mapped by   nvme_alloc_queue() <- nvme_probe()
  as          dma_alloc: 2048 bytes at 0x486ab000
  kernel      [ 1.0] nvme nvme0: x

ahci: does not bind
  because     its driver did not make it usable in 20 s

result: 1 inside, 1 outside, 0 broken, 1 not bound, 1 without a driver; exit code 1"""


def check_with(
    pool: PoolAnswer, devices: tuple[DeviceAnswer, ...], built: bool = True
) -> KernelCheck:
    return KernelCheck("6.12 (a package)", "QEMU 7.2, pool-pci-host", built, (pool,), devices)


def test_each_device_has_a_line_and_each_bad_one_its_details() -> None:
    assert check_text(check_with(PoolAnswer(POOL, PoolTreatment.RECOGNISED), DEVICES)) == TEXT


def test_a_kernel_without_the_feature_is_told_what_to_do() -> None:
    ignored = PoolAnswer(POOL, PoolTreatment.IGNORED, "feature not built")

    said = check_text(check_with(ignored, DEVICES[1:2], built=False))

    assert "Set CONFIG_DMA_RESTRICTED_POOL=y and build it again." in said


def test_an_address_of_unknown_origin_says_why() -> None:
    escape = Escape(ESCAPE.first, 1)
    device = DeviceAnswer("nvme", "nvme", DeviceState.OUTSIDE, escape.text, escape)

    said = check_text(check_with(PoolAnswer(POOL, PoolTreatment.RECOGNISED), (device,)))

    assert "mapped by   unknown: the kernel traces no calls of the DMA API" in said
