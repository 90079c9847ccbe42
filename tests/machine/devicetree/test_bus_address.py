# SPDX-License-Identifier: Apache-2.0
"""What a device reaches through buses of all kinds, as drivers/of/address.c reads them."""

import pytest
from devicetree_blobs import compiled

from harness.machine.devicetree.flat import read_blob
from harness.machine.devicetree.model import KernelVersion, predict
from harness.machine.devicetree.model.devices import Bus
from harness.machine.devicetree.model.dma_ranges import Window

BOARD = """
/dts-v1/;
/ {
    #address-cells = <2>;
    #size-cells = <2>;
    memory@40000000 { device_type = "memory"; reg = <0x0 0x40000000 0x0 0x40000000>; };
    %s
};
"""

MMC = 'mmc { compatible = "example,mmc"; };'
KERNELS = ("6.1", "6.12", "7.3")


def reach(devices: str, kernel: str) -> tuple[Window, ...] | None:
    tree = read_blob(compiled(BOARD % devices))
    found = predict(tree, KernelVersion(kernel)).devices
    return next(one.reach.windows for one in found if one.path.endswith("/mmc"))


@pytest.mark.parametrize("kernel", KERNELS)
def test_entries_of_an_interconnect_have_the_cells_of_those_who_master_it(kernel: str) -> None:
    found = reach(
        """
        noc: interconnect {
            compatible = "example,noc";
            #interconnect-cells = <0>;
            #address-cells = <1>;
            #size-cells = <1>;
            dma-ranges = <0x1 0x0 0x0 0x40000000 0x0 0x20000000>;
        };
        bus {
            compatible = "simple-bus";
            #address-cells = <2>;
            #size-cells = <2>;
            ranges;
            dma-ranges = <0x0 0x80000000 0x1 0x0 0x0 0x10000000>;
            interconnects = <&noc>;
            interconnect-names = "dma-mem";
            mmc { compatible = "example,mmc"; };
        };
        """,
        kernel,
    )

    assert found == (Window(base=0x4000_0000, dma_addr=0x8000_0000, size=0x1000_0000),)


@pytest.mark.parametrize("kernel", KERNELS)
def test_an_interconnect_without_all_its_cells_is_not_used(kernel: str) -> None:
    found = reach(
        """
        noc: interconnect {
            compatible = "example,noc";
            #interconnect-cells = <2>;
            #address-cells = <2>;
            #size-cells = <2>;
            dma-ranges = <0x0 0x0 0x0 0x40000000 0x0 0x20000000>;
        };
        mmc {
            compatible = "example,mmc";
            interconnects = <&noc 1>;
            interconnect-names = "dma-mem";
        };
        """,
        kernel,
    )

    assert found is None


@pytest.mark.parametrize(
    ("bus", "kernel", "dma_addr"),
    [
        ('pcie { compatible = "simple-bus"', "6.12", 0x2000_0000),
        ('pcie { device_type = "other"; compatible = "simple-bus"', "7.3", 0x2000_0000),
        ('isa { compatible = "simple-bus"', "6.1", 0x2000_0000),
        ('soc { device_type = "ht"; compatible = "simple-bus"', "6.12", 0x2000_0000),
        ('pci { compatible = "simple-bus"', "6.12", 0x1_2000_0000),
        ('soc { device_type = "other\\0pci"; compatible = "simple-bus"', "7.3", 0x1_2000_0000),
    ],
)
def test_the_first_cell_of_an_address_holds_flags_on_some_buses(
    bus: str, kernel: str, dma_addr: int
) -> None:
    found = reach(
        f"""
        {bus};
            #address-cells = <2>;
            #size-cells = <2>;
            ranges;
            dma-ranges = <0x1 0x20000000 0x0 0x40000000 0x0 0x10000000>;
            {MMC}
        }};
        """,
        kernel,
    )

    assert found == (Window(base=0x4000_0000, dma_addr=dma_addr, size=0x1000_0000),)


@pytest.mark.parametrize("kernel", KERNELS)
def test_neighbours_with_other_flags_are_two_on_a_bus_of_three_cells(kernel: str) -> None:
    found = reach(
        f"""
        soc {{
            compatible = "simple-bus";
            #address-cells = <3>;
            #size-cells = <2>;
            ranges;
            dma-ranges = <0x02000000 0x0 0x0 0x0 0x40000000 0x0 0x10000000>,
                         <0x82000000 0x0 0x10000000 0x0 0x50000000 0x0 0x10000000>;
            {MMC}
        }};
        """,
        kernel,
    )

    assert found is not None
    assert len(found) == 2


@pytest.mark.parametrize("kernel", KERNELS)
def test_flags_are_kept_through_a_bus_without_entries(kernel: str) -> None:
    found = reach(
        f"""
        pcie {{
            compatible = "simple-bus";
            #address-cells = <3>;
            #size-cells = <2>;
            ranges;
            dma-ranges = <0x02000000 0x0 0x0 0x0 0x40000000 0x0 0x20000000>;
            pcie {{
                compatible = "simple-bus";
                #address-cells = <3>;
                #size-cells = <2>;
                ranges;
                bus {{
                    compatible = "simple-bus";
                    #address-cells = <2>;
                    #size-cells = <2>;
                    ranges;
                    dma-ranges = <0x0 0x0 0x02000000 0x0 0x0 0x0 0x10000000>;
                    {MMC}
                }};
            }};
        }};
        """,
        kernel,
    )

    assert found == (Window(0x4000_0000, 0, 0x1000_0000),)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_range_of_another_space_does_not_count(kernel: str) -> None:
    found = reach(
        f"""
        pcie {{
            compatible = "simple-bus";
            #address-cells = <3>;
            #size-cells = <2>;
            ranges;
            dma-ranges = <0x01000000 0x0 0x0 0x0 0x40000000 0x0 0x20000000>,
                         <0x43000000 0x0 0x0 0x0 0x60000000 0x0 0x20000000>;
            bus {{
                compatible = "simple-bus";
                #address-cells = <2>;
                #size-cells = <2>;
                ranges;
                dma-ranges = <0x0 0x0 0x02000000 0x0 0x0 0x0 0x10000000>;
                {MMC}
            }};
        }};
        """,
        kernel,
    )

    assert found == (Window(base=0x6000_0000, dma_addr=0, size=0x1000_0000),)


def test_a_bus_of_platform_devices_is_no_host_bridge_whatever_its_name() -> None:
    bus = 'pci { compatible = "simple-bus"; #address-cells = <3>; #size-cells = <2>; %s };'
    tree = read_blob(compiled(BOARD % (bus % MMC)))

    found = {one.path: one.device.bus for one in predict(tree, KernelVersion("7.3")).devices}

    assert found == {"/pci": Bus.PLATFORM, "/pci/mmc": Bus.PLATFORM}
