# SPDX-License-Identifier: Apache-2.0
"""The results of KUnit are read from a kernel's log, also if the log ends early."""

import pytest

from harness.base.result import Result
from harness.results.kunit_log import kunit_cases

LOG = """\
[    0.301000] Loading compiled-in X.509 certificates
[    0.310000] KTAP version 1
[    0.310001] 1..2
[    0.310002]     KTAP version 1
[    0.310003]     # Subtest: slots
[    0.310004]     # module: slots_test
[    0.310005]     1..4
[    0.310006]     ok 1 test_one
[    0.310007]     # test_two: EXPECTATION FAILED at kernel/dma/slots_test.c:12
[    0.310008]     Expected slots == 2, but
[    0.310009]         slots == 1 (0x1)
[    0.310010]     not ok 2 test_two
[    0.310011]     ok 3 test_three # SKIP no pool
[    0.310012]         KTAP version 1
[    0.310013]         # Subtest: test_sizes
[    0.310014]         ok 1 4 KiB
[    0.310015]         not ok 2 8 KiB
[    0.310016]     # test_sizes: pass:1 fail:1 skip:0 total:2
[    0.310017]     not ok 4 test_sizes
[    0.310018] # slots: pass:1 fail:2 skip:1 total:4
[    0.310019] not ok 1 slots
[    0.310020]     KTAP version 1
[    0.310021]     # Subtest: areas
[    0.310022]     1..1
[    0.310023]     ok 1 test_area
[    0.310024] ok 2 areas
[    0.320000] Freeing unused kernel memory: 1024K
"""


def told(log: str) -> list[tuple[str, Result]]:
    return [(one.test.removeprefix("kunit::"), one.result) for one in kunit_cases(log.splitlines())]


ENDED = [
    ("slots.test_one", Result.PASS),
    ("slots.test_two", Result.FAIL),
    ("slots.test_three", Result.SKIP),
    ("slots.test_sizes.4 KiB", Result.PASS),
    ("slots.test_sizes.8 KiB", Result.FAIL),
    ("areas.test_area", Result.PASS),
]


def test_every_test_and_parameter_has_its_result() -> None:
    assert told(LOG) == ENDED


def test_a_failure_says_which_expectation() -> None:
    failed = kunit_cases(LOG.splitlines())[1]

    assert failed.message == (
        "# test_two: EXPECTATION FAILED at kernel/dma/slots_test.c:12 "
        "Expected slots == 2, but slots == 1 (0x1)"
    )


def test_a_skipped_test_says_why() -> None:
    assert kunit_cases(LOG.splitlines())[2].message == "no pool"


@pytest.mark.parametrize(
    ("end", "ended", "said"),
    [
        ("    ok 3 test_three", 2, "2 of 4 tests ended"),
        ("        # Subtest: test_sizes", 3, "3 of 4 tests ended"),
        ("    ok 1 test_area", 5, "0 of 1 tests ended"),
    ],
)
def test_tests_that_did_not_end_are_a_crash(end: str, ended: int, said: str) -> None:
    cut = LOG[: LOG.index(end)]

    assert told(cut)[:ended] == ENDED[:ended]
    last = kunit_cases(cut.splitlines())[-1]
    assert (last.result, last.message) == (Result.CRASH, said)


def test_lines_without_stamps_are_read_too() -> None:
    plain = "\n".join(line.partition("] ")[2] for line in LOG.splitlines())

    assert told(plain) == ENDED


def test_a_log_without_kunit_has_none() -> None:
    assert told("[    1.0] virtio ok 1 queue\nok 1 selftests: dma\n") == []


RECORDED = """\
[  0.904787] [    0.724487] KTAP version 1
[  0.904806] [    0.724563] 1..1
[  0.904821] [    0.724791]     KTAP version 1
[  0.904837] [    0.724842]     # Subtest: swiotlb
[  0.904852] [    0.725049]     # module: swiotlb_test
[  0.904867] [    0.725222]     1..3
[  0.920628] [    0.737434]     ok 1 slot_has_2_kib
[  0.920740] [    0.740812]     # set_has_64_slots: EXPECTATION FAILED at kernel/dma/test.c:12
[  0.920765] [    0.740812]     Expected 128 == 64, but
[  0.924036] [    0.744379]     not ok 2 set_has_64_slots
[  0.928612] [    0.744820]     ok 3 needs_a_device # SKIP no device
[  0.928695] [    0.745612] # swiotlb: pass:1 fail:1 skip:1 total:3
[  0.928715] [    0.748530] # Totals: pass:1 fail:1 skip:1 total:3
[  0.928732] [    0.748692] not ok 1 swiotlb
[  1.008624] [    0.825806] Freeing unused kernel memory: 1088K
"""
"""The console of 6.12 with tests/series/bad-kernels/kunit-test-fails.patch."""


def test_a_recorded_console_is_read() -> None:
    assert told(RECORDED) == [
        ("swiotlb.slot_has_2_kib", Result.PASS),
        ("swiotlb.set_has_64_slots", Result.FAIL),
        ("swiotlb.needs_a_device", Result.SKIP),
    ]
