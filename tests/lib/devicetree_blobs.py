# SPDX-License-Identifier: Apache-2.0
"""Small devicetrees for tests: a machine with 256 MiB of RAM at 1 GiB, and pools on it."""

from functools import cache
from pathlib import Path

from harness.base.tools import run_tool

MACHINE = """
/dts-v1/;
/memreserve/ 0x40000000 0x1000;
/ {
    #address-cells = <2>;
    #size-cells = <2>;
    memory@4c000000 { device_type = "memory"; reg = <0x0 0x4c000000 0x0 0x4000000>; };
    memory@40000000 { device_type = "memory"; reg = <0x0 0x40000000 0x0 0xc000000>; };
    pcie@10000000 { #address-cells = <3>; #size-cells = <2>; device_type = "pci"; };
    chosen { };
};
"""

OVERLAY = """/dts-v1/;
/plugin/;
&{/} {
    reserved-memory {
        %s
        %s
    };
    %s
};
"""

CELLS = "#address-cells = <2>; #size-cells = <2>; ranges;"

POOL = 'pool: restricted-dma@4f000000 { compatible = "restricted-dma-pool"; %s };'
GOOD_REG = "reg = <0x0 0x4f000000 0x0 0x1000000>;"
GOOD_POOL = POOL % GOOD_REG


def compiled(source: str) -> bytes:
    """Compile devicetree source."""
    return run_tool(["dtc", "-q", "-I", "dts", "-O", "dtb"], data=source.encode())


def decompiled(blob: bytes) -> bytes:
    """The source of a blob, as dtc reads it."""
    return run_tool(["dtc", "-q", "-I", "dtb", "-O", "dts"], data=blob)


@cache
def machine() -> bytes:
    """The blob of the machine that the overlays in dts/ fit."""
    return compiled(MACHINE)


def overlay(folder: Path, reserved: str, more: str = "", cells: str = CELLS) -> Path:
    """Write an overlay with *reserved* in /reserved-memory and *more* in the root."""
    path = folder / "test.dtso"
    path.write_text(OVERLAY % (cells, reserved, more))
    return path
