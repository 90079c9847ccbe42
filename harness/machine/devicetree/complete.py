# SPDX-License-Identifier: Apache-2.0
"""Complete a devicetree as QEMU's boot loader does, for firmware that starts the kernel.

As QEMU, hw/arm/boot.c:arm_load_dtb (7.2). ``rng-seed`` stays all zeros.
"""

from harness.base.address_range import AddressRange
from harness.base.errors import DevicetreeError
from harness.machine.devicetree.reserved import child_shape
from harness.machine.devicetree.tree import Tree

FLASH = "flash@0"
"""QEMU's node (hw/arm/virt.c, virt_flash_fdt); firmware keeps the flash for itself."""

ADDRESS_SIZE = 8


def complete(blob: bytes, bootargs: str, initrd: AddressRange, hidden: AddressRange) -> bytes:
    """*blob* with command line and initial RAM disk, without flash and the *hidden* start of RAM.

    Raises DevicetreeError when the tree has no RAM that begins with *hidden*.
    """
    tree = Tree(blob)
    tree.root.remove_child(FLASH)
    _hide(tree, hidden)
    chosen = tree.find("/chosen")
    if chosen is None:
        raise DevicetreeError("the devicetree has no /chosen node for the kernel's arguments")
    chosen.set_bytes("bootargs", bootargs.encode() + b"\0")
    chosen.set_bytes("linux,initrd-start", initrd.base.to_bytes(ADDRESS_SIZE))
    chosen.set_bytes("linux,initrd-end", initrd.end.to_bytes(ADDRESS_SIZE))
    return tree.blob()


def _hide(tree: Tree, hidden: AddressRange) -> None:
    shape = child_shape(tree.root)
    for node in tree.root.children():
        banks = shape.regions(node) if "memory" in node.strings("device_type") else ()
        for bank in banks[:1]:
            if bank.base == hidden.base and bank.size > hidden.size:
                rest = (node.raw("reg") or b"")[shape.stride :]
                node.set_bytes("reg", shape.pack(hidden.end, bank.size - hidden.size) + rest)
                node.rename(f"memory@{hidden.end:x}")
                return
    raise DevicetreeError(
        f"no memory node of the devicetree begins with the firmware's RAM, {hidden}"
    )
