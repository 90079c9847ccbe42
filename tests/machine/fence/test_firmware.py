# SPDX-License-Identifier: Apache-2.0
"""What the firmware is given in flash and what it leaves in RAM, without a guest."""

import struct

import pytest
from page_walk import joined, leaves

from harness.base.address_range import AddressRange
from harness.base.errors import InputError
from harness.machine.bare_program import GUEST
from harness.machine.fence import CpuRefusal, cpu_refusals, fence_named
from harness.machine.fence.cache_log import BOUNCED_RANGES, CACHE_LOG_SIZE, KEPT
from harness.machine.fence.firmware import BOUNCED_TABLE, CPU_SIZE, CPUS, HIDDEN, Bank
from harness.machine.fence.stage2 import stage2_tables

BASE = 0x2_0000
END = 1 << 40
POOL = AddressRange(0x4F00_0000, 16 << 20)


@pytest.mark.parametrize(
    "hidden",
    [
        HIDDEN,
        (),
        (AddressRange(0x4000_0000, 0x1000),),
        (AddressRange(0x3FFF_F000, 0x2000),),
        (AddressRange(0x4000_0000, 3 << 30),),
        (AddressRange(0x4000_0000, 0x1000), AddressRange(0x4000_3000, 0x20_0000)),
    ],
    ids=["the firmware's", "nothing", "a page", "across a GiB", "whole GiBs", "two in a table"],
)
def test_stage_2_maps_everything_to_itself_but_what_it_hides(
    hidden: tuple[AddressRange, ...],
) -> None:
    mapped = list(leaves(stage2_tables(BASE, hidden), BASE, BASE, entries=1024))

    assert all(leaf.target == leaf.address for leaf in mapped)
    borders = [0, *(border for w in hidden for border in (w.base, w.end)), END]
    pairs = zip(borders[::2], borders[1::2], strict=True)
    assert joined(iter(mapped)) == [(begin, end) for begin, end in pairs if begin < end]


def test_stage_2_leaves_all_rights_and_attributes_to_the_kernel() -> None:
    for leaf in leaves(stage2_tables(BASE, HIDDEN), BASE, BASE, entries=1024):
        assert leaf.bits >> 2 & 0xFF == 0b11_11_1111, "SH, S2AP and MemAttr"
        assert leaf.bits >> 10 & 1, "an access flag of 0 would be a fault"
        assert leaf.bits >> 53 == 0, "XN"


def test_a_fence_of_firmware_is_one_flash_bank_of_constants() -> None:
    fence = fence_named("firmware", (POOL,), 2)
    ((bank, image),) = fence.flash

    assert bank == 0
    for constant in fence.constants:
        end = constant.address + len(constant.content)
        assert image[constant.address : end] == constant.content
    assert sum(map(bool, image)) == sum(map(bool, b"".join(c.content for c in fence.constants)))
    assert "smmu" in fence.board
    assert "smmu" not in fence.visible_board


def test_the_orders_are_what_the_firmware_reads() -> None:
    fence = fence_named("firmware", (POOL,), 2)
    ((_, image),) = fence.flash
    head = struct.unpack_from("<6Q", image, Bank.ORDERS)
    registers = list(struct.iter_unpack("<3Q", image[Bank.ORDERS + 48 :][: 24 * sum(head[4:])]))

    assert fence.firmware is not None
    assert head[:3] == (Bank.STAGE2, fence.firmware.kernel, fence.firmware.devicetree)
    assert head[3] == 0, "it logs cache maintenance only where that is asked for"
    standing = [(r.address, r.width, r.value) for r in fence.standing]
    assert registers[head[4] :] == standing
    assert {width for _, width, _ in registers} <= {4, 8}


def test_the_firmware_and_the_harness_agree_on_their_numbers() -> None:
    text = (GUEST / "firmware/constants.h").read_text()
    defined = dict(line.split()[1:3] for line in text.splitlines() if line.count(" ") == 2)

    fence = fence_named("firmware", (POOL,), 2)
    assert fence.firmware is not None
    assert int(defined["ORDERS"], 0) == Bank.ORDERS
    assert int(defined["CPU_MEMORY"], 0) == fence.firmware.log.base
    assert 1 << int(defined["CPU_SHIFT"], 0) == CPU_SIZE
    assert int(defined["CPUS"], 0) == CPUS


def test_the_orders_say_whether_the_firmware_logs_caches() -> None:
    fence = fence_named("firmware", (POOL,), 2, logs_caches=True)
    ((_, image),) = fence.flash

    assert struct.unpack_from("<6Q", image, Bank.ORDERS)[3] == 1
    assert fence.firmware is not None
    assert fence.firmware.cache_log is not None
    text = (GUEST / "firmware/constants.h").read_text()
    defined = dict(line.split()[1:3] for line in text.splitlines() if line.count(" ") == 2)
    assert int(defined["CACHE_LOG"], 0) == fence.firmware.cache_log.base
    assert 1 << int(defined["CACHE_LOG_SHIFT"], 0) == CACHE_LOG_SIZE
    assert fence.firmware.cache_log.size == CPUS * CACHE_LOG_SIZE
    assert int(defined["KEPT_CACHE_OPERATIONS"], 0) == KEPT
    assert (int(defined["BOUNCED_TABLE"], 0), int(defined["BOUNCED_RANGES"], 0)) == (
        BOUNCED_TABLE,
        BOUNCED_RANGES,
    )
    assert not fence.firmware.cache_log.overlaps(fence.firmware.log)


@pytest.mark.parametrize("name", ["smmu", "split"])
def test_no_other_fence_can_log_caches(name: str) -> None:
    with pytest.raises(InputError, match="firmware"):
        fence_named(name, (POOL,), 2, logs_caches=True)


def log_of(*cpus: tuple[int, list[tuple[int, int, int]]]) -> bytes:
    """The firmware's RAM, from how often each CPU was refused and its records."""
    log = b""
    for count, records in cpus:
        memory = struct.pack("<4Q", 0x4020_0000, 0, count, 0)
        memory += b"".join(struct.pack("<3Q", *record) for record in records)
        log += memory.ljust(CPU_SIZE, b"\xaa")
    return log


READ = (0x0905_0020, 0x9380_8006, 0xFFFF_8000_0000_1000)
WRITE = (0x0905_0024, 0x9380_8046, 0x40_0000)
FETCH = (0x0010_0000, 0x8200_0006, 0x0010_0000)


def test_records_of_all_cpus_are_read() -> None:
    refusals = cpu_refusals(log_of((0, []), (2, [READ, WRITE]), (1, [FETCH])))

    assert refusals.count == 3
    assert refusals.last == (CpuRefusal(1, *READ), CpuRefusal(1, *WRITE), CpuRefusal(2, *FETCH))
    assert [refusal.access for refusal in refusals.last] == ["read", "write", "fetch"]
    assert str(refusals.last[1]) == "CPU 1 write 0x9050024 refused at PC 0x400000"


def test_of_many_records_the_last_32_are_left_oldest_first() -> None:
    records = [(number, 0, 0) for number in (32, 33, *range(2, 32))]

    refusals = cpu_refusals(log_of((34, records)))

    assert refusals.count == 34
    assert [refusal.address for refusal in refusals.last] == list(range(2, 34))
