# SPDX-License-Identifier: Apache-2.0
"""Contents by which a test sees who wrote a byte of memory, and what a failure calls them."""

from collections.abc import Mapping

from harness.devices.probe import Byte, Pattern, Seed

CPU, DEVICE, STALE = Seed(0xC9), Seed(0xDE), Seed(0x57)
"""What the CPU writes, what the device writes, and what an earlier mapping left."""

NAMES: Mapping[Pattern, str] = {
    CPU: "what the CPU wrote",
    DEVICE: "what the device wrote",
    STALE: "what an earlier mapping left",
    Byte(0): "zeros",
}
