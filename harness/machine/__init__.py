# SPDX-License-Identifier: Apache-2.0
"""Virtual machines: devicetree, fence, QEMU, and the frozen description of all three.

===============  ============================================================================
``machine``      ``Machine``, the frozen description, and its QEMU command line
``shape``        from the name of a shape to a machine's devicetree
``description``  save a machine to files, and load it
``environment``  the QEMU, the kernel and the initramfs that several machines share
``layout``       how guest RAM is divided into shared and private blocks
``virtio``       virtio devices that a machine has from the start
``binary``       find the QEMU binary and check that it can run guests
``capabilities`` what a QEMU binary can do: asked of it, once
``devicetree``   compose devicetrees with pools
``fence``        the emulated trusted firmware that confines devices
``qemu``         running guests
===============  ============================================================================
"""
