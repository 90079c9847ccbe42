# SPDX-License-Identifier: Apache-2.0
"""The regions that the model predicts, with base and size, where kernels differ in them.

Each was seen on a kernel as it is written here (harness/suite/properties/test_prediction.py).
"""

import pytest
from devicetree_blobs import CELLS, compiled

from harness.base.address_range import AddressRange
from harness.machine.devicetree.flat import read_blob
from harness.machine.devicetree.model import KernelVersion, Prediction, predict
from harness.machine.devicetree.model.memory import whole_pages
from harness.machine.devicetree.model.prediction import given_unmapped
from harness.machine.devicetree.model.scan_at_once import heap_sorted

BOARD = """/dts-v1/;
/ {
    #address-cells = <2>; #size-cells = <2>;
    memory@40000000 { device_type = "memory"; reg = <0x0 0x40000000 0x0 0x10000000>; };
    reserved-memory { %s %s };
    device { compatible = "some,device"; memory-region = <&pool>; };
};
"""
POOL = 'pool: %s { compatible = "restricted-dma-pool"; %s };'
PLACED = '%s { compatible = "restricted-dma-pool"; size = <0x0 0x100000>; };'


def predicted(reserved: str, kernel: str) -> Prediction:
    return predict(read_blob(compiled(BOARD % (CELLS, reserved))), KernelVersion(kernel))


def table(reserved: str, kernel: str) -> list[tuple[str, int, int]]:
    """The kernel's table of regions: name, base, size."""
    found = predicted(reserved, kernel).regions.lookup
    return [(one.name, one.base or 0, one.size) for one in found]


@pytest.mark.parametrize(
    ("properties", "old", "new"),
    [
        ("reg = <0 0x4e000000 0 0>;", [("pool", 0x4E000000, 0)], []),
        ("size = <0x100000>;", [("pool", 0, 0)], []),
        ("size = <0 0x20000000>;", [("pool", 0, 0)], []),
        ("reg = <0x4e000000>;", [], []),
        (
            "reg = <0 0x4e000000 0 0>; size = <0 0x100000>;",
            [("pool", 0x4FF00000, 0x100000)],
            [],
        ),
        (
            "reusable; reg = <0 0x4e000000 0 0x100000>;",
            [("pool", 0x4E000000, 0x100000)],
            [("pool", 0x4E000000, 0x100000)],
        ),
    ],
)
def test_a_region_that_is_none_keeps_its_entry_before_6_12(
    properties: str, old: list[tuple[str, int, int]], new: list[tuple[str, int, int]]
) -> None:
    assert table(POOL % ("pool", properties), "6.1") == old
    assert table(POOL % ("pool", properties), "6.12") == new


def test_a_device_of_an_entry_without_a_place_is_reported_unrestricted() -> None:
    (device,) = predicted(POOL % ("pool", "reg = <0 0x4e000000 0 0>;"), "6.1").devices

    assert device.outcome.value == "unrestricted"
    assert device.rule.name == "size-zero"
    assert device.log.startswith("failed to initialise")


@pytest.mark.parametrize(
    ("kernel", "order"),
    [
        ("6.1", ["b", "c", "pool"]),
        ("6.5", ["pool", "b", "c"]),
        ("6.12", ["pool", "b", "c"]),
        ("7.3", ["pool", "b", "c"]),
    ],
)
def test_regions_are_placed_in_the_order_that_the_kernels_sort_leaves(
    kernel: str, order: list[str]
) -> None:
    reserved = POOL % ("pool", "size = <0 0x100000>;") + PLACED % "b" + PLACED % "c"

    highest_first = sorted(table(reserved, kernel), key=lambda one: -one[1])
    assert [name for name, _, _ in highest_first] == order


@pytest.mark.parametrize(
    ("kernel", "base"),
    [
        ("6.1", 0x4F300000),
        ("6.5", 0x4F100000),
        ("6.12.12", 0x4F100000),
        ("6.12.13", 0x4F300000),
        ("6.12", 0x4F300000),
        ("7.3", 0x4F300000),
    ],
)
def test_before_6_12_a_region_is_placed_beside_one_with_an_address(kernel: str, base: int) -> None:
    reserved = "fixed { reg = <0 0x4f000000 0 0x100000>; };"
    within = "alloc-ranges = <0 0x4f000000 0 0x400000>;"
    reserved += POOL % ("pool", f"size = <0 0x100000>; {within}")

    assert ("pool", base, 0x100000) in table(reserved, kernel)


def test_before_6_12_the_kernel_looks_for_overlaps_before_it_places() -> None:
    refused = 'first { compatible = "restricted-dma-pool"; reusable; reg = <%s>; };'
    reserved = refused % "0 0x4e000000 0 0x100000"
    place = (
        "reg = <0 0x4e100000 0 0>; size = <0 0x100000>; alloc-ranges = <0 0x4e000000 0 0x100000>;"
    )
    reserved += POOL % ("pool", place)

    assert table(reserved, "6.1")[1] == ("pool", 0x4E000000, 0x100000)
    assert not any("OVERLAP" in line for line in predicted(reserved, "6.1").regions.log)


def test_before_6_12_a_table_that_is_full_is_reported() -> None:
    reserved = POOL % ("pool", "reg = <0 0x4e000000 0 0x100000>;")
    reserved += "".join(PLACED % f"p{number}" for number in range(64))

    found = predicted(reserved, "6.1").regions
    assert len(found.lookup) == 64
    assert found.log.count("OF: reserved mem: not enough space for all defined regions.") == 1


@pytest.mark.parametrize(("kernel", "lines"), [("6.1", 1), ("6.12", 1), ("6.15", 2), ("7.3", 2)])
def test_coherent_memory_is_attached_to_a_function_twice_and_refused_the_second_time(
    kernel: str, lines: int
) -> None:
    host = """
        pcie { compatible = "some,host"; device_type = "pci"; memory-region = <&pool>;
               #address-cells = <3>; #size-cells = <2>; };
    """
    pool = 'pool: pool { compatible = "restricted-dma-pool", "shared-dma-pool"; no-map; %s };'
    board = BOARD.replace("device {", f"{host} device {{") % (
        CELLS,
        pool % "reg = <0 0x4e000000 0 0x100000>;",
    )

    found = predict(read_blob(compiled(board)), KernelVersion(kernel)).devices

    said = {one.path: one.log.splitlines() for one in found}
    assert len(said["/pcie/*"]) == lines
    assert len(said["/pcie"]) == len(said["/device"]) == 1


@pytest.mark.parametrize(
    ("kernel", "outcome"),
    [
        ("6.1", "restricted"),
        ("6.3", "no device is made of this node"),
        ("6.12", "no device is made of this node"),
        ("6.15", "restricted"),
        ("7.3", "restricted"),
    ],
)
def test_a_function_whose_node_is_disabled_gets_its_pool_on_some_kernels(
    kernel: str, outcome: str
) -> None:
    function = 'eth@1,0 { reg = <0x800 0 0 0 0>; status = "disabled"; memory-region = <&pool>; };'
    host = """
        pcie { compatible = "some,host"; device_type = "pci"; #address-cells = <3>;
               #size-cells = <2>; %s };
    """
    pool = POOL % ("pool", "reg = <0 0x4e000000 0 0x100000>;")
    board = BOARD.replace("device {", f"{host % function} device {{") % (CELLS, pool)

    found = predict(read_blob(compiled(board)), KernelVersion(kernel)).devices

    assert {one.path: one.outcome.value for one in found}["/pcie/eth@1,0"] == outcome


@pytest.mark.parametrize(
    ("reserved", "given"),
    [
        ("0x4e000000 0 0x100000", [(0x4E000000, 0x100000)]),
        ("0x4e000400 0 0x400", [(0x4E000000, 0x1000)]),
        ("0x4dfff000 0 0x2000", [(0x4DFFF000, 0x2000)]),
        ("0x4c000000 0 0x100000", []),
        ("0x4c0ff000 0 0x2000", [(0x4C100000, 0x1000)]),
        ("0x60000000 0 0x100000", []),
    ],
)
def test_refused_memory_that_is_unmapped_goes_to_the_page_allocator_unless_it_is_reserved(
    reserved: str, given: list[tuple[int, int]]
) -> None:
    tree = POOL % ("pool", f"no-map; reg = <0 {reserved}>;")
    tree += "other { reg = <0 0x4c000000 0 0x100000>; };"

    found = predicted(tree, "6.12")

    assert [(one.base, one.size) for one in given_unmapped(found.regions)] == given
    assert (found.fatal_later is not None) == bool(given)


@pytest.mark.parametrize(
    ("base", "size", "pages"),
    [
        (0x1000, 0x1000, (0x1000, 0x1000)),
        (0x1800, 0x1000, (0x1000, 0x2000)),
        (0x1800, 0, (0x1000, 0)),
    ],
)
def test_the_pages_of_a_range_are_those_that_it_has_a_part_of(
    base: int, size: int, pages: tuple[int, int]
) -> None:
    found = whole_pages(AddressRange(base, size), 0x1000)

    assert (found.base, found.size) == pages


@pytest.mark.parametrize(
    ("given", "left"),
    [("a", "a"), ("ab", "ba"), ("abc", "bca"), ("abcd", "bcda"), ("AbCdEf", "CEAfdb")],
)
def test_equal_elements_change_places_in_the_kernels_sort(given: str, left: str) -> None:
    order = heap_sorted(list(given), lambda letter: (int(letter.islower()),))

    assert "".join(order) == left
