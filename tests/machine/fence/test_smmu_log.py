# SPDX-License-Identifier: Apache-2.0
"""QEMU's log of an SMMU becomes refusals: who, where, which way, when."""

from harness.machine.fence import Refusal, smmu_refusals

PREFIX = "smmuv3-iommu-memory-region-0-5 translation failed for iova="
READ = f"""\
{PREFIX}0x4efff000 (SMMU_EVT_F_TRANSLATION)
20740@1795630479.046865:smmuv3_record_event SMMU_EVT_F_TRANSLATION sid=0x100
Invalid read at addr 0x4EFFF000, size 4, region '(null)', reason: rejected
"""
WRITE = f"""\
{PREFIX}0x4efff004 (SMMU_EVT_F_TRANSLATION)
20740@1795630479.348991:smmuv3_record_event SMMU_EVT_F_TRANSLATION sid=0x2fb
Invalid write at addr 0x4EFFF004, size 4, region '(null)', reason: rejected
"""
OTHERS = """\
pl011_read: Bad offset 0xff0
Invalid read at addr 0x0, size 8, region '(null)', reason: rejected
20740@1795630479.000000:smmuv3_record_event SMMU_EVT_C_BAD_STE sid=0x100
"""

READ_REFUSAL = Refusal("0000:01:00.0", 0x4EFF_F000, "read", 1795630479.046865)
WRITE_REFUSAL = Refusal("0000:02:1f.3", 0x4EFF_F004, "write", 1795630479.348991)


def refusals(log: str) -> list[Refusal]:
    return list(smmu_refusals(log.splitlines()))


def test_three_lines_are_one_refusal() -> None:
    assert refusals(READ) == [READ_REFUSAL]


def test_refusals_come_in_their_order() -> None:
    assert refusals(READ + WRITE + READ) == [READ_REFUSAL, WRITE_REFUSAL, READ_REFUSAL]


def test_lines_that_all_begin_with_a_time_are_read_as_well() -> None:
    log = f"""\
2026-11-28T20:17:52.276311Z {PREFIX}0x40877292 (SMMU_EVT_F_TRANSLATION)
2026-11-28T20:17:52.276312Z smmuv3_propagate_event SMMU_EVT_F_TRANSLATION sid=0x100
2026-11-28T20:17:52.276314Z Invalid read at addr 0x40877292, size 2, region '(null)', reason: x
"""

    assert refusals(log) == [Refusal("0000:01:00.0", 0x4087_7292, "read", 1795897072.276312)]


def test_other_lines_are_nobodys_refusal() -> None:
    assert refusals(OTHERS) == []
    assert refusals(READ + OTHERS + WRITE) == [READ_REFUSAL, WRITE_REFUSAL]


def test_without_the_last_line_the_direction_is_unknown() -> None:
    unfinished = "".join(READ.splitlines(keepends=True)[:2])

    assert [r.access for r in refusals(unfinished)] == ["?"]
    assert [r.access for r in refusals(unfinished + WRITE)] == ["?", "write"]


def test_a_direction_of_another_address_is_not_taken() -> None:
    lines = READ.splitlines()[:2] + WRITE.splitlines()[2:]

    assert [r.access for r in smmu_refusals(lines)] == ["?"]


def test_a_line_that_is_still_being_written_is_not_read() -> None:
    assert refusals(READ + PREFIX + "0x4efff") == [READ_REFUSAL]
