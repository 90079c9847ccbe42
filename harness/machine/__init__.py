# SPDX-License-Identifier: Apache-2.0
"""Virtual machines: devicetree, fence, QEMU, and the frozen description of all three."""
