# SPDX-License-Identifier: Apache-2.0
"""A devicetree is completed as QEMU would, for firmware that starts the kernel in its place."""

import pytest
from devicetree_blobs import MACHINE, compiled, machine

from harness.base.errors import DevicetreeError
from harness.machine.devicetree import Region, complete
from harness.machine.devicetree.reserved import ram_regions
from harness.machine.devicetree.tree import Tree

MIB = 1 << 20
INITRD = Region(0x4800_0000, 0x12_3456, "initrd")
HIDDEN = Region(0x4000_0000, 2 * MIB, "firmware")


def completed(blob: bytes) -> Tree:
    return Tree(complete(blob, "quiet panic=-1", INITRD, HIDDEN))


def test_the_kernel_is_given_arguments_and_initrd() -> None:
    chosen = completed(machine()).find("/chosen")

    assert chosen is not None
    assert chosen.raw("bootargs") == b"quiet panic=-1\0"
    assert chosen.cells("linux,initrd-start", width=2) == (INITRD.base,)
    assert chosen.cells("linux,initrd-end", width=2) == (INITRD.end,)


def test_ram_begins_behind_the_firmwares() -> None:
    (ram,) = ram_regions(completed(machine()))

    assert (ram.base, ram.end) == (HIDDEN.end, 0x5000_0000)


def test_the_flash_is_not_shown() -> None:
    blob = compiled(MACHINE.replace("chosen {", 'flash@0 { compatible = "cfi-flash"; }; chosen {'))

    assert completed(blob).find("/flash@0") is None


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("0x40000000 0x0 0xc000000", "0x60000000 0x0 0xc000000", "no memory node"),
        ("0x40000000 0x0 0xc000000", "0x40000000 0x0 0x200000", "no memory node"),
        ("chosen { };", "", "no /chosen"),
    ],
    ids=["RAM elsewhere", "RAM too small", "no chosen"],
)
def test_a_devicetree_that_cannot_be_completed_is_refused(
    old: str, new: str, complaint: str
) -> None:
    blob = compiled(MACHINE.replace(old, new))

    with pytest.raises(DevicetreeError, match=complaint):
        completed(blob)
