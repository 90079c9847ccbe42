# SPDX-License-Identifier: Apache-2.0
"""A device in a process of ours that reaches more than it was handed damages the fence."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from harness.base.address_range import AddressRange
from harness.machine.fence import Refusal
from harness.machine.layout import RamBlock
from harness.machine.qemu.fencing import excess

BLOCKS = (
    RamBlock(0x4000_0000, 0xF00_0000, handed_over=False),
    RamBlock(0x4F00_0000, 0x100_0000, handed_over=True),
)


@dataclass
class Device:
    """A device in the place of a rogue."""

    name: str
    reach: Sequence[AddressRange]

    def refusals(self) -> Sequence[Refusal]:
        """None."""
        return ()


@pytest.mark.parametrize("size", [0x1000, 0x100_0000])
def test_a_device_that_reaches_what_it_was_handed_is_confined(size: int) -> None:
    device = Device("rogue0", (AddressRange(0x4F00_0000, size),))

    assert excess(BLOCKS, [Device("rogue1", ()), device]) == []


@pytest.mark.parametrize(
    "beyond",
    [
        AddressRange(0x4EFF_F000, 0x1000),
        AddressRange(0x4EFF_F000, 0x2000),
        AddressRange(0x4F00_0000, 0x100_1000),
    ],
)
def test_a_device_that_reaches_more_is_named_with_what_it_reaches(beyond: AddressRange) -> None:
    (sentence,) = excess(BLOCKS, [Device("rogue0", (AddressRange(0x4F00_0000, 0x1000), beyond))])

    assert sentence == f"device rogue0 reaches {beyond}, which the fence does not give it"
