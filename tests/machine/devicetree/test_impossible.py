# SPDX-License-Identifier: Apache-2.0
"""Devicetrees whose pools cannot exist are refused, each for its own reason."""

from pathlib import Path

import pytest
from devicetree_blobs import GOOD_POOL, GOOD_REG, POOL, machine, overlay

from harness.base.errors import DevicetreeError
from harness.machine.devicetree import BootPayload, Placement, compose

MIB = 1 << 20

PLACEMENTS = {
    "is not inside RAM, which is \\[0x40000000, 0x50000000\\)": Placement(base=0x50000000),
    "is not inside RAM": Placement(size=17 * MIB),
    "the kernel makes no pool": Placement(size=0),
    "base or size of .* is not a multiple of 4 KiB": Placement(base=0x4E000800),
    "is not a multiple of 4 KiB": Placement(size=MIB + 2048),
    "overlaps the kernel \\[0x40200000, ": Placement(base=0x40400000, size=MIB),
    "overlaps the initial RAM disk and the devicetree \\[0x48000000, ": Placement(
        base=0x49000000, size=MIB
    ),
    "restricted-dma@40000000: .* overlaps /memreserve/": Placement(base=0x40000000, size=MIB),
}

NODES = {
    "it is no-map": POOL % f"no-map; {GOOD_REG}",
    "it is reusable": POOL % f"reusable; {GOOD_REG}",
    "it is linux,dma-default": POOL % f"linux,dma-default; {GOOD_REG}",
    "the kernel makes no pool: it has neither": POOL % "",
    "'reg' has 8 bytes, not a multiple of 16": POOL % "reg = <0x4f000000 0x1000000>;",
    "1 of its 2 entries are unused": POOL % "reg = <0 0x4f000000 0 0x1000 0 0x4f800000 0 0x1000>;",
    "overlaps other@4f800000 ": (
        f"{GOOD_POOL} other@4f800000 {{ no-map; reg = <0x0 0x4f800000 0x0 0x1000>; }};"
    ),
}

PARENTS = {
    "#address-cells is 0x1; the root has 2 and 2": (
        "#address-cells = <1>; #size-cells = <2>; ranges;"
    ),
    "'ranges' is missing": "#address-cells = <2>; #size-cells = <2>;",
}


@pytest.mark.parametrize("fault", PLACEMENTS)
def test_a_pool_at_an_impossible_place_is_refused(fault: str) -> None:
    with pytest.raises(DevicetreeError, match=fault):
        compose(machine(), ["pool-pci-host"], pools={"pool": PLACEMENTS[fault]})


@pytest.mark.parametrize("fault", NODES)
def test_a_pool_that_the_kernel_refuses_is_refused(fault: str, tmp_path: Path) -> None:
    with pytest.raises(DevicetreeError, match=fault):
        compose(machine(), [overlay(tmp_path, NODES[fault])])


@pytest.mark.parametrize("fault", PARENTS)
def test_a_parent_that_the_kernel_does_not_scan_is_refused(fault: str, tmp_path: Path) -> None:
    with pytest.raises(DevicetreeError, match=fault):
        compose(machine(), [overlay(tmp_path, GOOD_POOL, cells=PARENTS[fault])])


@pytest.mark.parametrize("fault", NODES)
def test_a_test_that_asks_for_the_invalid_gets_it(fault: str, tmp_path: Path) -> None:
    devicetree = compose(machine(), [overlay(tmp_path, NODES[fault])], allow_invalid=True)

    assert "restricted-dma-pool" in devicetree.source()


def test_a_reference_to_nothing_is_refused(tmp_path: Path) -> None:
    dangling = overlay(tmp_path, GOOD_POOL, "device { memory-region = <0x1234>; };")

    with pytest.raises(DevicetreeError, match="refers to phandle 0x1234, which no node has"):
        compose(machine(), [dangling])


def test_two_pools_that_overlap_are_refused() -> None:
    placement = {"pci_pool": Placement(size=9 * MIB)}

    with pytest.raises(DevicetreeError, match=r"@4f000000: .* overlaps restricted-dma@4f8"):
        compose(machine(), ["pool-two"], pools=placement)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    both = overlay(tmp_path, POOL % "no-map; reusable; reg = <0 0x4f000000 0 0x1000000>;")

    with pytest.raises(DevicetreeError, match="it is no-map and reusable"):
        compose(machine(), [both])


def test_a_pool_may_span_two_banks_of_ram() -> None:
    placement = {"pool": Placement(base=0x4BF00000, size=2 * MIB)}

    devicetree = compose(machine(), ["pool-platform"], pools=placement)

    assert devicetree.pools[0].base == 0x4BF00000


def test_a_small_payload_leaves_more_room_for_pools() -> None:
    placement = {"pool": Placement(base=0x40400000, size=MIB)}

    devicetree = compose(
        machine(), ["pool-platform"], pools=placement, payload=BootPayload(kernel=2 * MIB)
    )

    assert devicetree.pools[0].base == 0x40400000
