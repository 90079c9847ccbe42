# SPDX-License-Identifier: Apache-2.0
"""A board on QEMU's machine: the lint predicts of it what it predicts of the board."""

from pathlib import Path

import pytest
from devicetree_blobs import compiled
from lint_boards import BOARDS, KERNELS, board_files

from harness.base.errors import InputError
from harness.base.space import MIB
from harness.machine.binary import find_qemu
from harness.machine.devicetree.board import Board, Loader
from harness.machine.devicetree.flat import FlatTree, read_blob
from harness.machine.devicetree.lint import Status, judge
from harness.machine.devicetree.model import Environment, KernelVersion, predict
from harness.machine.devicetree.model.dma_ranges import Window
from harness.machine.devicetree.model.environment import NEWEST
from harness.machine.shape import root_ports, shaped_devicetree
from harness.machine.transfer import Kind, Transfer, transfer_board

BOARD = """
/dts-v1/;
/ {
    #address-cells = <2>;
    #size-cells = <2>;
    memory@0 { device_type = "memory"; reg = <0x0 0x0 0x10 0x0>; };
    reserved-memory {
        #address-cells = <2>;
        #size-cells = <2>;
        ranges;
        %s
    };
    %s
};
"""

POOL = (
    'pool: pool@10001000 { compatible = "restricted-dma-pool"; reg = <0 0x10001000 0 0x310000>; };'
)
USER = "memory-region = <&pool>;"

NOT_TAKEN_OVER = {"iommus": "behind-iommu", "no-users-of-dma": "no-driver"}
"""Boards with something that the machine does not have."""


def board(regions: str = POOL, devices: str = "") -> Board:
    blob = compiled(BOARD % (regions, devices))
    return Board("board.dts", blob, read_blob(blob))


def taken_over(given: Board, ram_size: int | None = None) -> Transfer:
    return transfer_board(given, KernelVersion(NEWEST), ram_size)


def on_machine(found: Transfer, folder: Path) -> FlatTree:
    shape = folder / "shape.dtso"
    shape.write_text(found.overlay)
    qemu = find_qemu("qemu-system-aarch64")
    return read_blob(shaped_devicetree(qemu, shape, ram_size=found.ram_size).blob)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize(
    "path",
    [one for one in board_files() if one.stem != "unused-pool"],
    ids=lambda path: path.stem,
)
def test_the_lint_predicts_of_each_stand_in_what_it_predicts_of_the_device(
    path: Path, kernel: str, tmp_path: Path
) -> None:
    given = Loader().load(str(path))
    version = KernelVersion(kernel)
    found = transfer_board(given, version)
    there = {one.path: one for one in predict(given.tree, version).devices}
    here = {one.path: one for one in predict(on_machine(found, tmp_path), version).devices}

    excused = NOT_TAKEN_OVER.get(path.stem)
    for one in found.stand_ins:
        wanted, got = there[one.path], here[one.node]
        if wanted.rule.name not in (excused, "iommu-disabled"):
            seen = (got.outcome, got.rule.name, got.pool and got.pool.size)
            assert seen == (
                wanted.outcome,
                wanted.rule.name,
                wanted.pool and wanted.pool.size,
            ), one


def test_kinds_and_flags_of_regions_are_kept(tmp_path: Path) -> None:
    regions = (
        f'{POOL} a: a@20000000 {{ compatible = "shared-dma-pool"; reusable; linux,cma-default; '
        "reg = <0 0x20000000 0 0x400000>; };"
        "b: b@24000000 { no-map; reg = <0 0x24000000 0 0x1000>; };"
        'c: c { compatible = "shared-dma-pool", "restricted-dma-pool"; size = <0 0x200000>; '
        "alignment = <0 0x40000>; alloc-ranges = <0 0 0 0x40000000>; };"
    )
    tree = on_machine(taken_over(board(regions, f'd {{ compatible = "x"; {USER} }};')), tmp_path)

    found = {one.name.partition("@")[0]: one for one in tree.find("/reserved-memory").children}  # type: ignore[union-attr] # it has one
    assert found["pool"].cells("reg")[1:] == (0x5000_1000, 0, 0x31_0000)
    assert {"reusable", "linux,cma-default"} <= found["a"].properties.keys()
    assert found["a"].strings("compatible") == ("shared-dma-pool",)
    assert "no-map" in found["b"].properties
    assert found["c"].strings("compatible") == ("shared-dma-pool", "restricted-dma-pool")
    assert found["c"].cells("size") == (0, 0x20_0000)
    assert found["c"].cells("alloc-ranges") == (0, 0x4000_0000, 0, 0x4000_0000)


def test_users_of_one_pool_share_it(tmp_path: Path) -> None:
    devices = (
        f'bus {{ compatible = "simple-bus"; one {{ compatible = "x"; {USER} }}; }};'
        f'two {{ compatible = "y"; {USER} }};'
        f'pcie@30000000 {{ compatible = "z"; device_type = "pci"; {USER} }};'
        f'virtio@1000 {{ compatible = "virtio,mmio"; {USER} }};'
    )
    found = taken_over(board(devices=devices))
    judged = judge(on_machine(found, tmp_path), KernelVersion("6.12"), Environment())

    (pool,) = judged.prediction.pools
    users = {one.path for one in judged.prediction.users(pool)}
    assert users >= {"/bus/one", "/two", "/pcie@10000000", "/virtio_mmio@a000000"}
    assert judged.status is Status.GOOD
    assert [one.kind for one in found.stand_ins] == [
        *(Kind.PLATFORM, Kind.PLATFORM, Kind.HOST, Kind.VIRTIO),
    ]


def test_a_device_finds_its_pool_where_it_was(tmp_path: Path) -> None:
    ranges = (
        "#address-cells = <1>; #size-cells = <1>; ranges; dma-ranges = <0x80000000 0 0 0x40000000>;"
    )
    devices = f'bus {{ compatible = "simple-bus"; {ranges} d {{ compatible = "x"; {USER} }}; }};'
    found = taken_over(board(devices=devices))

    bus = on_machine(found, tmp_path).find("/bus")

    assert bus is not None
    assert bus.cells("dma-ranges") == (0x8000_0000, 0, 0x4000_0000, 0x4000_0000)


@pytest.mark.parametrize(("kernel", "windows"), [("6.12", True), ("7.3", False)])
def test_a_host_bridge_reaches_what_the_kernel_under_test_makes_of_its_bus(
    kernel: str, windows: bool, tmp_path: Path
) -> None:
    found = transfer_board(Loader().load(str(BOARDS / "buses.dts")), KernelVersion(kernel))

    host = on_machine(found, tmp_path).find("/pcie@10000000")

    assert host is not None
    assert ("dma-ranges" in host.properties) == windows


def test_devices_of_one_name_behind_one_interconnect_stay_two(tmp_path: Path) -> None:
    provider = 'noc: noc { compatible = "example,noc"; #interconnect-cells = <0>; };'
    master = f'interconnects = <&noc>; interconnect-names = "dma-mem"; {USER}'
    buses = "".join(
        f'{name} {{ compatible = "simple-bus"; mmc {{ compatible = "x"; {master} }}; }};'
        for name in ("one", "two")
    )
    found = taken_over(board(devices=provider + buses))

    nodes = {one.node for one in found.stand_ins}

    assert len(nodes) == 2
    tree = on_machine(found, tmp_path)
    assert all(tree.find(node) is not None for node in nodes)


def test_cells_that_come_from_the_root_are_those_of_the_machine(tmp_path: Path) -> None:
    source = """
    /dts-v1/;
    / {
        #address-cells = <1>;
        #size-cells = <1>;
        memory@0 { device_type = "memory"; reg = <0x0 0xf0000000>; };
        reserved-memory {
            #address-cells = <1>;
            #size-cells = <1>;
            ranges;
            pool: p@50000000 { compatible = "restricted-dma-pool"; reg = <0x50000000 0x100000>; };
        };
        bus {
            compatible = "simple-bus";
            ranges;
            dma-ranges = <0x80000000 0x50000000 0x20000000>;
            mmc { compatible = "example,mmc"; memory-region = <&pool>; };
        };
    };
    """
    blob, kernel = compiled(source), KernelVersion("6.12")
    found = transfer_board(Board("board.dts", blob, read_blob(blob)), kernel)

    devices = predict(on_machine(found, tmp_path), kernel).devices

    (mmc,) = (one for one in devices if one.path == "/bus/mmc")
    assert mmc.reach.windows == (Window(0x5000_0000, 0x8000_0000, 0x2000_0000),)


def test_functions_with_nodes_have_root_ports_of_their_own(tmp_path: Path) -> None:
    function = "fn%d@%d,0 { reg = <%#x 0 0 0 0>; memory-region = <&pool>; };"
    functions = "".join(function % (n, n, n << 11) for n in range(1, 9))
    host = 'pcie@30000000 { device_type = "pci"; compatible = "z"; #address-cells = <3>; %s };'
    found = taken_over(board(devices=host % functions))

    kinds = [one.kind for one in found.stand_ins]
    assert kinds == [Kind.HOST, *[Kind.FUNCTION] * 7, Kind.NOTHING]
    assert found.stand_ins[-1].remark == "the machine has 7 root ports"
    shape = tmp_path / "shape.dtso"
    shape.write_text(found.overlay)
    qemu = find_qemu("qemu-system-aarch64")
    assert root_ports(shaped_devicetree(qemu, shape, ram_size=found.ram_size)) == 7


def test_a_function_stays_behind_its_root_port() -> None:
    found = taken_over(Loader().load(str(BOARDS / "root-port.dts")))

    nodes = {one.path: one.node for one in found.stand_ins}
    assert nodes["/pcie@30000000/pcie@3,0"] == "/pcie@10000000/pcie@3,0"
    assert nodes["/pcie@30000000/pcie@3,0/wifi@0,0"] == "/pcie@10000000/pcie@3,0/device@0,0"


def test_several_host_bridges_are_said() -> None:
    found = taken_over(Loader().load(str(BOARDS / "two-hosts-one-pool.dts")))

    assert [one.kind for one in found.stand_ins] == [Kind.HOST, Kind.PLATFORM]
    assert any("QEMU's virt board has one" in one for one in found.remarks)


def test_a_pool_that_is_no_ram_is_said_with_the_option() -> None:
    found = taken_over(Loader().load(str(BOARDS / "outside-ram.dts")))

    (said,) = found.remarks
    assert "is not in the board's RAM, which is [0x40000000, 0x80000000)" in said
    assert "--memory=BASE+SIZE" in said


def test_a_name_that_no_source_can_have_is_another_on_the_machine(tmp_path: Path) -> None:
    given = board(devices=f'odd {{ compatible = "x"; {USER} }};')
    blob = given.blob.replace(b"odd\0", b"o\x80d\0")
    found = taken_over(Board("board.dts", blob, read_blob(blob)))

    (one,) = found.stand_ins
    assert (one.path, one.node) == ("/o\\x80d", "/o_x80d")
    assert on_machine(found, tmp_path).find(one.node) is not None


def test_a_name_of_a_board_cannot_end_the_comment(tmp_path: Path) -> None:
    given = board(devices=f'd {{ compatible = "x"; {USER} }};')
    evil = Board("*/ &{/} { evil; }; /*.dts", given.blob, given.tree)

    tree = on_machine(taken_over(evil), tmp_path)

    assert "evil" not in tree.root.properties


@pytest.mark.parametrize(
    ("regions", "devices", "said"),
    [
        ("", "", "no node of /reserved-memory is a restricted-dma-pool"),
        (POOL, "", "no node names a restricted pool in its memory-region"),
        (POOL.replace("0 0x310000", "2 0x40000000"), USER, "does not fit into 9 GiB"),
    ],
)
def test_what_cannot_be_tried_is_one_paragraph(regions: str, devices: str, said: str) -> None:
    node = f'd {{ compatible = "x"; {devices} }};'

    with pytest.raises(InputError, match=said):
        taken_over(board(regions, node))


def test_a_given_size_is_kept() -> None:
    found = taken_over(board(devices=f'd {{ compatible = "x"; {USER} }};'), 1024 * MIB)

    assert found.ram_size == 1024 * MIB
