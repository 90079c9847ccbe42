# SPDX-License-Identifier: Apache-2.0
"""An SMMU's tables let devices reach the windows and nothing else, each at its own address."""

import struct

import pytest
from page_walk import joined, leaves

from harness.base.address_range import AddressRange
from harness.machine.fence import SCRATCH
from harness.machine.fence.smmu import DOORBELL, SMMU, Smmu, enforced, program, window_tables
from harness.machine.fence.smmu_tables import Tables

BASE = 0x0400_0000
PORTS = 2
POOL = AddressRange(0x4F00_0000, 16 << 20)
WINDOWS = {
    "a pool": (POOL,),
    "one page": (AddressRange(0x4F00_1000, 0x1000),),
    "not 2 MiB aligned": (AddressRange(0x4F1F_F000, 0x20_2000),),
    "neighbours in one table": (
        AddressRange(0x4F00_0000, 0x1000),
        AddressRange(0x4F00_2000, 0x1000),
    ),
    "across a gigabyte": (AddressRange(0x7FFF_F000, 0x2000),),
    "high": (AddressRange(0x40_0000_0000, 0x40_0000),),
}

ENTRY, STREAMS = 64, 0x800
VALID = 1
ABORT, BYPASS, STAGE_1 = 0b000, 0b100, 0b101


def stream(tables: Tables, number: int) -> int:
    """The first word of a stream table entry (Arm IHI 0070, 5.2)."""
    return int(struct.unpack_from("<Q", tables.image, ENTRY * number)[0])


def configuration(tables: Tables, number: int) -> int:
    word = stream(tables, number)
    assert word & VALID
    return word >> 1 & 0b111


def context_place(tables: Tables) -> int:
    """The address of the context descriptor that a device behind a root port is given."""
    return stream(tables, 0x100) & 0x000F_FFFF_FFFF_FFC0


def context(tables: Tables) -> tuple[int, int]:
    """The first words of that descriptor: what it is like, and the root of its tables."""
    word, root = struct.unpack_from("<QQ", tables.image, context_place(tables) - tables.base)
    return word, root & 0x000F_FFFF_FFFF_FFF0


@pytest.mark.parametrize("windows", WINDOWS.values(), ids=WINDOWS)
def test_every_page_of_a_window_maps_to_itself_and_no_other_page_maps(
    windows: tuple[AddressRange, ...],
) -> None:
    tables = window_tables(BASE, windows, PORTS)
    mapped = list(leaves(tables.image, BASE, context(tables)[1]))

    assert all(leaf.target == leaf.address for leaf in mapped)
    wanted = sorted((w.base, w.end) for w in (*windows, SCRATCH, DOORBELL))
    assert joined(iter(mapped)) == wanted


def test_devices_may_read_and_write_without_privilege() -> None:
    tables = window_tables(BASE, (POOL,), PORTS)

    for leaf in leaves(tables.image, BASE, context(tables)[1]):
        assert leaf.bits >> 6 & 0b11 == 0b01, "AP: read and write at any privilege"
        assert leaf.bits >> 10 & 1, "an access flag of 0 would be a fault"


def test_a_context_has_one_half_of_39_bits_and_faults_are_recorded() -> None:
    word, root = context(window_tables(BASE, (POOL,), PORTS))

    assert 64 - (word & 0x3F) == 39, "T0SZ"
    assert word >> 6 & 0b11 == 0, "TG0: 4 KiB"
    assert word >> 30 & 1, "EPD1"
    assert word >> 31 & 1, "V"
    assert word >> 41 & 1, "AA64"
    assert word >> 45 & 0b11 == 0b11, "R: record, A: abort"
    assert root % 4096 == 0


@pytest.mark.parametrize("ports", [0, 1, 4])
def test_a_stream_is_treated_by_its_bus(ports: int) -> None:
    tables = window_tables(BASE, (POOL,), ports)
    bridges = {slot << 3 for slot in range(1, ports + 1)}

    for number in range(0x100):
        assert configuration(tables, number) == (BYPASS if number in bridges else ABORT)
    for number in range(0x100, STREAMS):
        assert configuration(tables, number) == STAGE_1


def test_the_parts_of_the_tables_lie_behind_the_stream_table() -> None:
    tables = window_tables(BASE, (POOL,), PORTS)
    descriptor, (_, root) = context_place(tables), context(tables)

    assert descriptor % 64 == 0
    assert descriptor - BASE >= STREAMS * ENTRY
    assert root - BASE >= STREAMS * ENTRY
    assert abs(root - descriptor) >= 64


def test_the_smmu_is_switched_on_last_and_checked_for_what_was_written() -> None:
    tables = window_tables(BASE, (POOL,), PORTS)
    setup = program(tables, 0x4018_0000, 11)
    written = {register.address - SMMU: register.value for register in setup}
    standing = {register.address - SMMU: register.value for register in enforced(tables)}

    assert setup[-1].address - SMMU == Smmu.CR0
    assert setup[-1].value & 1
    for register in (Smmu.CR0, Smmu.STRTAB_BASE, Smmu.STRTAB_BASE_CFG):
        assert standing[register] == written[register]
    assert standing[Smmu.CR0ACK] == written[Smmu.CR0]
    assert standing[Smmu.CMDQ_CONS] == written[Smmu.CMDQ_PROD], "all commands were consumed"
