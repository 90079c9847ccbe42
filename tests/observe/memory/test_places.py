# SPDX-License-Identifier: Apache-2.0
"""Which numbers of a failure are addresses, and where QEMU says that BARs are."""

from harness.observe.memory.places import Bar, addresses, bars

INFO_PCI = """\
  Bus  0, device   1, function 0:
    PCI bridge: PCI device 1b36:000c
      IRQ 0, pin A
      BUS 0.
      BAR0: 32 bit memory at 0x10245000 [0x10245fff].
      id "port0"
  Bus  1, device   0, function 0:
    Class 00255: PCI device 1234:11e8
      BAR0: 32 bit memory at 0x10000000 [0x100fffff].
      BAR2: I/O at 0xffffffffffffffff [0x00fe].
      BAR4: 64 bit prefetchable memory at 0x8000000000 [0x8000003fff].
      id "rogue0"
"""


def test_addresses_are_found_once_and_in_order() -> None:
    texts = ["dma_map_single(probe-a, 0x41485000, 4096) = 0x4f007000", "0x41485000: c9 -> de, 0x40"]

    assert addresses(texts) == [0x4148_5000, 0x4F00_7000]


def test_masks_and_the_borders_of_ranges_are_no_addresses() -> None:
    assert addresses(["mask 0xffffffff outside [0x4f000000, 0x50000000)"]) == []


def test_bars_are_read_from_qemus_list() -> None:
    assert list(bars(INFO_PCI)) == [
        Bar(0x1024_5000, 0x1000, "00:01.0", 0),
        Bar(0x1000_0000, 0x10_0000, "01:00.0", 0),
        Bar(0x80_0000_0000, 0x4000, "01:00.0", 4),
    ]
