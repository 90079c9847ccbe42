# SPDX-License-Identifier: Apache-2.0
"""Composing: the overlays of dts/, moved pools, and sources that are wrong."""

from dataclasses import replace
from pathlib import Path

import pytest
from devicetree_blobs import GOOD_POOL, POOL, compiled, machine, overlay

from harness.base.errors import DevicetreeError
from harness.machine.devicetree import Devicetree, DynamicPool, Placement, compose

HOST = "/pcie@10000000"
MIB = 1 << 20


@pytest.mark.parametrize(
    ("name", "pools"),
    [
        ("pool-pci-host", [("pool", 0x4F000000, 16, (HOST,))]),
        ("pool-pci-child", [("pool", 0x4F000000, 16, (f"{HOST}/pcie@1,0/device@0,0",))]),
        ("pool-platform", [("pool", 0x4F000000, 16, ("/probe-a",))]),
        (
            "pool-two",
            [
                ("pci_pool", 0x4F000000, 8, (HOST,)),
                ("platform_pool", 0x4F800000, 8, ("/probe-b",)),
            ],
        ),
        ("pool-shared", [("pool", 0x4F000000, 16, (HOST, "/probe-a", "/probe-b"))]),
        ("pool-chromeos", [("pool", 0x4C000000, 64, (HOST,))]),
        (
            "pool-pci-both",
            [
                ("host_pool", 0x4F000000, 8, (HOST,)),
                ("own_pool", 0x4F800000, 4, (f"{HOST}/pcie@1,0/device@0,0",)),
            ],
        ),
        ("pool-pci-port", [("pool", 0x4F000000, 16, (f"{HOST}/pcie@1,0",))]),
        (
            "pool-platforms",
            [("pool", 0x4F000000, 16, ("/probe-a", "/probe-b", "/probe-c", "/probe-d"))],
        ),
        (
            "pool-several",
            [
                ("first_pool", 0x4F800000, 4, ("/probe-a",)),
                ("second_pool", 0x4FC00000, 4, ("/probe-a", "/probe-c")),
            ],
        ),
        ("probes", []),
    ],
)
def test_every_overlay_describes_its_situation(
    name: str, pools: list[tuple[str, int, int, tuple[str, ...]]]
) -> None:
    devicetree = compose(machine(), [name])

    found = [(p.label, p.base, p.size // MIB, tuple(sorted(p.users))) for p in devicetree.pools]
    assert found == pools


@pytest.mark.parametrize(
    ("name", "pool"),
    [
        (
            "pool-dynamic",
            DynamicPool("restricted_dma_reserved", 4 * MIB, 4096, "pool", (HOST,)),
        ),
        (
            "pool-dynamic-range",
            DynamicPool(
                "restricted-dma-somewhere", 4 * MIB, 256 * 1024, "pool", ("/probe-a", "/probe-b")
            ),
        ),
    ],
)
def test_an_overlay_may_leave_the_place_to_the_kernel(name: str, pool: DynamicPool) -> None:
    (only,) = compose(machine(), [name]).dynamic

    assert replace(only, users=tuple(sorted(only.users))) == pool


def test_probes_beside_a_pool_overlay_leave_its_users_alone() -> None:
    devicetree = compose(machine(), ["pool-platform", "probes"])

    assert devicetree.pools[0].users == ("/probe-a",)
    assert "probe-b" in devicetree.source()


def test_a_moved_pool_has_a_node_name_that_matches() -> None:
    place = Placement(base=0x4E000000, size=2 * MIB)

    devicetree = compose(machine(), ["pool-pci-host"], pools={"pool": place})

    pool = devicetree.pool("pool")
    assert (pool.name, pool.base, pool.size, pool.users) == (
        "restricted-dma@4e000000",
        0x4E000000,
        2 * MIB,
        (HOST,),
    )


def test_what_a_placement_does_not_name_stays_as_written() -> None:
    place = Placement(size=4 * MIB)

    devicetree = compose(machine(), ["pool-pci-host"], pools={"pool": place})

    assert (devicetree.pools[0].base, devicetree.pools[0].size) == (0x4F000000, 4 * MIB)


def test_a_moved_pool_above_4_gib_keeps_all_its_bits() -> None:
    place = Placement(base=0x1_4000_0000, size=0x1_0000_1000)

    devicetree = compose(machine(), ["pool-pci-host"], pools={"pool": place}, allow_invalid=True)

    pool = devicetree.pools[0]
    assert (pool.base, pool.size) == (0x1_4000_0000, 0x1_0000_1000)


def test_two_pools_cannot_be_moved_to_one_base() -> None:
    place = Placement(base=0x4F000000)

    with pytest.raises(DevicetreeError, match="a sibling has that name"):
        compose(machine(), ["pool-two"], pools={"platform_pool": place}, allow_invalid=True)


def test_the_key_follows_the_content() -> None:
    one, same, other = (
        compose(machine(), names).key for names in (["probes"], ["probes"], ["pool-pci-host"])
    )

    assert one == same != other


def test_no_labels_are_left_in_the_blob() -> None:
    devicetree = compose(machine(), ["pool-pci-host"])

    assert "__symbols__" not in devicetree.source()


def test_an_overlay_may_use_the_labels_of_an_earlier_one(tmp_path: Path) -> None:
    user = overlay(tmp_path, "", "late { memory-region = <&pool>; };")

    devicetree = compose(machine(), ["pool-pci-host", user])

    assert sorted(devicetree.pools[0].users) == ["/late", HOST]


def test_a_pool_without_a_place_is_dynamic(tmp_path: Path) -> None:
    devicetree = _dynamic(tmp_path)

    (pool,) = devicetree.dynamic
    assert devicetree.pools == ()
    assert (pool.name, pool.size, pool.alignment) == ("restricted-dma", 2 * MIB, 4096)


def test_a_dynamic_pool_can_be_resized(tmp_path: Path) -> None:
    devicetree = _dynamic(tmp_path, Placement(size=64 * MIB))

    assert devicetree.dynamic[0].size == 64 * MIB


def test_a_dynamic_pool_cannot_be_given_a_base(tmp_path: Path) -> None:
    with pytest.raises(DevicetreeError, match="the kernel places it"):
        _dynamic(tmp_path, Placement(base=0x4F000000))


def test_a_disabled_pool_is_no_pool(tmp_path: Path) -> None:
    disabled = overlay(tmp_path, GOOD_POOL.replace("compatible", 'status = "disabled"; compatible'))

    assert compose(machine(), [disabled]).pools == ()


def test_an_unknown_overlay_is_answered_with_the_known_ones() -> None:
    with pytest.raises(DevicetreeError, match=r"no-such.*pool-pci-host, .*pool-platform"):
        compose(machine(), ["no-such"])


def test_an_unknown_label_is_answered_with_the_known_ones() -> None:
    with pytest.raises(DevicetreeError, match=r"'typo'.*pci_pool, platform_pool"):
        compose(machine(), ["pool-two"], pools={"typo": Placement(size=MIB)})


def test_asking_for_an_unknown_pool_is_answered_with_the_known_ones() -> None:
    with pytest.raises(DevicetreeError, match=r"'typo'.*pci_pool, platform_pool"):
        compose(machine(), ["pool-two"]).pool("typo")


def test_a_syntax_error_is_shown_with_file_and_line(tmp_path: Path) -> None:
    broken = tmp_path / "broken.dtso"
    broken.write_text("/dts-v1/;\n/plugin/;\n&{/} { oops };\n")

    with pytest.raises(DevicetreeError, match=r"broken\.dtso:3\.\d+.*syntax error"):
        compose(machine(), [broken])


def test_an_overlay_on_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    stray = tmp_path / "stray.dtso"
    stray.write_text("/dts-v1/;\n/plugin/;\n&{/nowhere} { x; };\n")

    with pytest.raises(DevicetreeError, match=r"stray\.dtso: the board has no node /nowhere"):
        compose(machine(), [stray])


def test_an_overlay_on_a_label_that_is_not_there_is_told_to_use_a_path(tmp_path: Path) -> None:
    stray = tmp_path / "stray.dtso"
    stray.write_text("/dts-v1/;\n/plugin/;\n&pcie { x; };\n")

    with pytest.raises(
        DevicetreeError, match=r"no label 'pcie'; it has no labels at all.* by path"
    ):
        compose(machine(), [stray])


def test_the_devicetree_of_a_machine_is_no_overlay(tmp_path: Path) -> None:
    board = tmp_path / "board.dts"
    board.write_text("/dts-v1/;\n/ { };\n")

    with pytest.raises(DevicetreeError, match=r"board\.dts is not an overlay.*harness try"):
        compose(machine(), [board])


def test_an_overlay_that_is_cut_off_is_named_with_the_offset(tmp_path: Path) -> None:
    cut = tmp_path / "cut.dtbo"
    cut.write_bytes(compiled("/dts-v1/;\n/plugin/;\n&{/chosen} { x; };\n")[:-8])

    with pytest.raises(DevicetreeError, match=r"cut\.dtbo: not a valid .* offset 0x4: .*truncated"):
        compose(machine(), [cut])


def _dynamic(folder: Path, placement: Placement | None = None) -> Devicetree:
    node = POOL.replace("@4f000000", "") % "size = <0x0 0x200000>; alignment = <0x0 0x1000>;"
    pools = {} if placement is None else {"pool": placement}
    return compose(machine(), [overlay(folder, node)], pools=pools)
