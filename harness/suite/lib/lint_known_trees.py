# SPDX-License-Identifier: Apache-2.0
"""Devicetrees that kernels mishandle, and those that the lint's model was once wrong about."""

from dataclasses import replace

from harness.machine.devicetree.model import RULES, Rule
from harness.machine.devicetree.model.devices import REGION
from harness.suite.lib.lint_trees import (
    DISABLED_IOMMU,
    FIRST_REGION,
    IOMMU,
    KIB,
    MIB,
    PROBE,
    RAM,
    RESTRICTED,
    SHARED,
    Made,
    MadeTree,
    Properties,
    cell,
    given_properties,
    pair,
)


def _pool(
    number: int, *more: tuple[str, bytes], name: str = "", compatible: bytes = RESTRICTED
) -> Made:
    found = {"compatible": compatible, "phandle": cell(FIRST_REGION + number)}
    return Made(name or f"pool-{number}", (*given_properties({**found}), *more))


def _known(
    *pools: Made,
    more: tuple[Made, ...] = (),
    target: int = FIRST_REGION,
    reservations: tuple[tuple[int, int], ...] = (),
) -> MadeTree:
    parent = (("#address-cells", cell(2)), ("#size-cells", cell(2)), ("ranges", b""))
    device = Made("probe-a", (("compatible", PROBE), ("memory-region", cell(target))))
    return MadeTree(
        Made("reserved-memory", parent, pools), (device, *more), reservations=reservations
    )


def _at(base: int, size: int) -> tuple[str, bytes]:
    return "reg", pair(base) + pair(size)


GOOD, GOOD_TOO = _pool(0, _at(0x4E00_0000, MIB)), _pool(1, _at(0x4D00_0000, MIB))
NAME = "pool@4e000000"
NO_MAP = ("no-map", b"")

KNOWN_TREES: dict[str, tuple[MadeTree, Rule]] = {
    "a pool is placed over a memreserve": (
        _known(
            _pool(0, ("size", pair(MIB)), ("alignment", pair(4 * KIB))),
            reservations=((0x4FF0_0000, MIB),),
        ),
        RULES["dynamic-over-memreserve"],
    ),
    "a device gets the pool of a namesake": (
        _known(
            _pool(0, _at(0x4E00_0000, MIB), name=NAME),
            more=(Made("elsewhere", (), (_pool(9, _at(0x4D00_0000, MIB), name=NAME),)),),
            target=FIRST_REGION + 9,
        ),
        RULES["namesake"],
    ),
    "the rest of a page of no-map memory is used": (
        _known(GOOD, Made("part", (_at(0x4FFF_F000, 2 * KIB), NO_MAP))),
        RULES["no-map-part-of-page"],
    ),
    "refused memory is unmapped, and used up": (
        _known(_pool(0, _at(0x4A00_0000, 32 * MIB), NO_MAP)),
        RULES["refused-unmapped"],
    ),
    "refused memory is unmapped, and used at once": (
        _known(_pool(0, _at(0x4F80_0000, 8 * MIB), NO_MAP)),
        RULES["refused-unmapped"],
    ),
    "a region of an exbibyte": (
        _known(GOOD, Made("huge", (_at(0x1_0000_0000, 1 << 60),))),
        RULES["huge-region"],
    ),
    "a pool outside RAM": (_known(_pool(0, _at(0x5000_0000, MIB))), RULES["outside-ram"]),
    "a pool over no-map memory": (
        _known(Made("first", (_at(0x4E00_0000, MIB), NO_MAP)), GOOD),
        RULES["over-nomap"],
    ),
    "a pool over the kernel": (_known(_pool(0, _at(0x4020_0000, MIB))), RULES["over-loaded"]),
    "a pool that is too large": (
        _known(_pool(0, _at(0x4800_0000, 350 * MIB))),
        RULES["too-large"],
    ),
    "coherent memory that is RAM in part": (
        _known(_pool(0, _at(0x4F80_0000, 16 * MIB), compatible=RESTRICTED + SHARED)),
        RULES["coherent-mapped"],
    ),
    "a blob of more than 2 MiB": (
        replace(_known(GOOD), chosen=(("padding", bytes(2 * MIB)),)),
        RULES["blob-too-large"],
    ),
    "a pool of no size": (_known(_pool(0, ("size", pair(0)))), RULES["no-slot"]),
    "contiguous memory over a pool": (
        _known(GOOD, _pool(1, _at(0x4E00_0000, 4 * MIB), ("reusable", b""), compatible=SHARED)),
        RULES["overlap"],
    ),
}
"""Devicetrees that kernels mishandle, and the rule of the lint."""

SIZE, ALIGNED = ("size", pair(MIB)), ("alignment", pair(256 * KIB))


def _function(slot: int, *properties: tuple[str, bytes]) -> Made:
    """The node of a function that is a bridge."""
    found = {
        "reg": cell(slot << 11) + bytes(16),
        "device_type": b"pci\0",
        "#address-cells": cell(3),
        "#size-cells": cell(2),
        "ranges": b"",
    }
    return Made(f"pcie@{slot},0", (*found.items(), *properties))


def _cells(address: int, size: int) -> Properties:
    return ("#address-cells", cell(address)), ("#size-cells", cell(size))


def _flagged(flags: int, address: int) -> bytes:
    return cell(flags) + pair(address)


_USER = Made("probe-a", (("compatible", PROBE), ("memory-region", cell(FIRST_REGION))))
_NAMED = (
    ("compatible", b"simple-bus\0"),
    *_cells(2, 2),
    ("dma-ranges", pair(0x1_2000_0000) + pair(0x4800_0000) + pair(128 * MIB)),
)
"""A bus whose devices find memory at other addresses if the first cell holds flags."""

MENDED_TREES: dict[str, MadeTree] = {
    "a region of no size": _known(_pool(0, _at(0x4E00_0000, 0)), GOOD_TOO),
    "a region of no size that is placed": _known(_pool(0, _at(0x4E00_0000, 0), SIZE, ALIGNED)),
    "a size of one cell": _known(_pool(0, ("size", cell(MIB))), GOOD_TOO),
    "three regions that are placed": _known(
        _pool(0, SIZE, ALIGNED),
        _pool(1, ("size", pair(4 * MIB)), ALIGNED),
        _pool(2, ("size", pair(16 * MIB)), ALIGNED),
    ),
    "a region that is placed in one that is refused": _known(
        _pool(0, _at(0x4E00_0000, MIB), ("reusable", b"")),
        _pool(1, _at(0x4E10_0000, 0), SIZE, ("alloc-ranges", pair(0x4E00_0000) + pair(MIB))),
        target=FIRST_REGION + 1,
    ),
    "a page of refused memory that is unmapped": _known(
        _pool(0, _at(0x4A00_0400, KIB), NO_MAP), GOOD_TOO
    ),
    "refused memory that is unmapped, and that another region reserves": _known(
        _pool(0, _at(0x4A00_0000, MIB), NO_MAP), Made("other", (_at(0x4A00_0000, 2 * MIB),))
    ),
    "contiguous memory outside RAM": _known(
        _pool(0, _at(0x9_0000_0000, 4 * MIB), ("reusable", b""), compatible=RESTRICTED + SHARED),
    ),
    "contiguous memory that a refused region frees": _known(
        _pool(0, _at(0x4FC0_0000, 4 * MIB), ("reusable", b""), compatible=SHARED),
        _pool(1, _at(0x4FFF_F000, 4 * MIB), ("reusable", b""), compatible=SHARED),
        _pool(2, _at(0x4E00_0000, MIB)),
        target=FIRST_REGION + 2,
    ),
    "a device that reaches memory through an interconnect": MadeTree(
        _known(GOOD).reserved,
        (
            Made(
                "probe-a",
                (
                    ("compatible", PROBE),
                    ("memory-region", cell(FIRST_REGION)),
                    ("interconnects", cell(0xBEEF) + cell(0) + cell(0xBEEF) + cell(1)),
                    ("interconnect-names", b"write\0dma-mem\0"),
                ),
            ),
            Made(
                "interconnect",
                (
                    ("phandle", cell(0xBEEF)),
                    ("#interconnect-cells", cell(1)),
                    ("#address-cells", cell(2)),
                    ("#size-cells", cell(2)),
                    ("dma-ranges", pair(0) + pair(RAM) + pair(128 * MIB)),
                ),
            ),
        ),
    ),
    "a bus that reaches memory through an interconnect of other cells": MadeTree(
        _known(GOOD).reserved,
        (
            Made(
                "bus",
                (
                    ("compatible", b"simple-bus\0"),
                    *_cells(2, 2),
                    ("dma-ranges", pair(0) + pair(1 << 32) + pair(128 * MIB)),
                    ("interconnects", cell(0xBEEF)),
                    ("interconnect-names", b"dma-mem\0"),
                ),
                (_USER,),
            ),
            Made(
                "interconnect",
                (
                    ("phandle", cell(0xBEEF)),
                    ("#interconnect-cells", cell(0)),
                    *_cells(1, 1),
                    ("dma-ranges", pair(1 << 32) + pair(0x4800_0000) + pair(128 * MIB)),
                ),
            ),
        ),
    ),
    "buses with names and types of PCI and ISA": MadeTree(
        _known(GOOD).reserved,
        tuple(
            Made(name, (*_NAMED, *more), (Made(f"probe-{letter}", _USER.properties),))
            for letter, name, more in (
                ("a", "pcie", ()),
                ("b", "isa", ()),
                ("c", "pci", ()),
                ("d", "bus-d", (("device_type", b"ht\0"),)),
                ("e", "bus-e", (("device_type", b"other\0pci\0"),)),
            )
        ),
    ),
    "neighbours of other flags on a bus of three cells": MadeTree(
        _known(GOOD).reserved,
        (
            Made(
                "bus",
                (
                    ("compatible", b"simple-bus\0"),
                    *_cells(3, 2),
                    (
                        "dma-ranges",
                        _flagged(0x0200_0000, 0)
                        + (pair(0x4800_0000) + pair(64 * MIB))
                        + _flagged(0x8200_0000, 64 * MIB)
                        + (pair(0x4C00_0000) + pair(64 * MIB)),
                    ),
                ),
                (_USER,),
            ),
        ),
    ),
    "flags that a bus without entries passes on": MadeTree(
        _known(GOOD).reserved,
        (
            Made(
                "pcie",
                (
                    ("compatible", b"simple-bus\0"),
                    *_cells(3, 2),
                    (
                        "dma-ranges",
                        _flagged(0x0200_0000, 0) + pair(0x4800_0000) + pair(128 * MIB),
                    ),
                ),
                (
                    Made(
                        "pcie",
                        (("compatible", b"simple-bus\0"), *_cells(3, 2)),
                        (
                            Made(
                                "bus",
                                (
                                    ("compatible", b"simple-bus\0"),
                                    *_cells(2, 2),
                                    (
                                        "dma-ranges",
                                        pair(0) + _flagged(0x0200_0000, 0) + pair(128 * MIB),
                                    ),
                                ),
                                (_USER,),
                            ),
                        ),
                    ),
                ),
            ),
        ),
    ),
    "devices on buses with power management": MadeTree(
        _known(GOOD).reserved,
        (
            Made(
                "bus",
                (("compatible", b"simple-pm-bus\0"), ("ranges", b"")),
                (
                    _USER,
                    Made(
                        "inner",
                        (("compatible", b"simple-bus\0"), ("ranges", b"")),
                        (Made("probe-b", _USER.properties),),
                    ),
                    Made(
                        "inner-pm",
                        (("compatible", b"other\0simple-pm-bus\0"), ("ranges", b"")),
                        (Made("probe-c", _USER.properties),),
                    ),
                ),
            ),
        ),
    ),
    "coherent memory of no size": _known(
        _pool(0, ("size", pair(0)), ALIGNED, compatible=RESTRICTED + SHARED)
    ),
    "a bus with a pool outside RAM": MadeTree(
        _known(_pool(0, _at(0, MIB)), GOOD_TOO).reserved,
        (
            Made(
                "bus",
                (
                    ("compatible", b"simple-bus\0"),
                    ("memory-region", cell(FIRST_REGION)),
                    ("ranges", b""),
                ),
            ),
        ),
    ),
    "a bus that reaches nothing": MadeTree(
        _known(GOOD).reserved,
        (
            Made(
                "bus",
                (
                    ("compatible", b"simple-bus\0"),
                    ("#address-cells", cell(2)),
                    ("#size-cells", cell(2)),
                    ("dma-ranges", pair(0) + pair(RAM) + pair(0)),
                ),
                (
                    Made(
                        "probe-a",
                        (("compatible", PROBE), ("memory-region", cell(FIRST_REGION))),
                    ),
                ),
            ),
        ),
    ),
    "a pool of no size within a page": _known(
        _pool(0, ("size", pair(0)), ("alloc-ranges", pair(0x4F80_0000) + pair(2 * KIB))), GOOD_TOO
    ),
    "a page of refused memory at the top, which the kernel takes first": _known(
        _pool(0, ("size", pair(2 * MIB)), ("alignment", pair(256 * KIB))),
        _pool(1, _at(0x4F80_0000, 64 * KIB), NO_MAP),
    ),
    "a pool outside RAM of a device without a driver": MadeTree(
        _known(_pool(0, _at(0x5000_0000, MIB)), GOOD_TOO).reserved,
        (Made("other", (("compatible", b"other\0"), ("memory-region", cell(FIRST_REGION)))),),
    ),
    "a host bridge without device_type": replace(
        _known(GOOD, GOOD_TOO),
        host=(("memory-region", cell(FIRST_REGION)),),
        host_lacks=("device_type",),
        functions=(_function(1, ("memory-region", cell(FIRST_REGION + 1))),),
    ),
    "a function with coherent memory": replace(
        _known(_pool(0, _at(0x4E00_0000, MIB), NO_MAP, compatible=RESTRICTED + SHARED)),
        functions=(_function(1, ("memory-region", cell(FIRST_REGION))),),
        host=(("memory-region", cell(FIRST_REGION)),),
    ),
    "a disabled function of a pool outside RAM": replace(
        _known(_pool(0, _at(0x5000_0000, MIB)), GOOD_TOO, target=FIRST_REGION + 1),
        functions=(_function(1, ("status", b"disabled\0"), ("memory-region", cell(FIRST_REGION))),),
    ),
    "a function whose node is disabled": replace(
        _known(GOOD, GOOD_TOO, _pool(2, _at(0x4C00_0000, MIB), ("reusable", b""))),
        functions=(
            _function(1, ("status", b"disabled\0"), ("memory-region", cell(FIRST_REGION + 1))),
            _function(2, ("status", b"disabled\0"), ("memory-region", cell(FIRST_REGION + 2))),
        ),
    ),
}
"""Devicetrees for which a prediction was once wrong, on some kernel."""


def _probe(name: str, *properties: tuple[str, bytes], compatible: bytes = PROBE) -> Made:
    return Made(name, (("compatible", compatible), *properties))


def _refers(number: int) -> tuple[str, bytes]:
    return REGION, cell(FIRST_REGION + number)


NO_MORE: dict[str, bytes | None] = {}


def _reserved(*pools: Made, more: dict[str, bytes | None] = NO_MORE) -> Made:
    """/reserved-memory with *pools*; *more* are properties in place of the usual ones."""
    cells: dict[str, bytes | None] = {"#address-cells": cell(2), "#size-cells": cell(2)}
    found = cells | {"ranges": b""} | more
    return Made("reserved-memory", given_properties(found), pools)


def _bus(*children: Made, compatible: bytes = b"simple-bus\0", more: Properties = ()) -> Made:
    return Made("bus", (("compatible", compatible), ("ranges", b""), *more), children)


def _reaches(base: int, size: int) -> Properties:
    """The properties of a bus from which devices reach *size* bytes at *base*."""
    window = ("dma-ranges", pair(0) + pair(base) + pair(size))
    return ("#address-cells", cell(2)), ("#size-cells", cell(2)), window


NEEDS = _refers(0)
OTHER = _pool(1, _at(0x4D00_0000, MIB), NO_MAP, compatible=SHARED)
"""Coherent memory of one device."""

DISABLED = ("status", b"disabled\0")

RULE_TREES: dict[str, MadeTree] = {
    "restricted": _known(GOOD),
    "no-region": MadeTree(_reserved(GOOD), (_probe("probe-a"), _probe("probe-b", NEEDS))),
    "inherited": replace(_known(GOOD), host=(NEEDS,)),
    "empty-region-hides": replace(
        _known(GOOD), host=(NEEDS,), functions=(_function(2, (REGION, b"")),)
    ),
    "other-region-hides": replace(
        _known(GOOD, Made("pool-1", (("phandle", cell(FIRST_REGION + 1)), _at(0x4D00_0000, MIB)))),
        host=(NEEDS,),
        functions=(_function(1, _refers(1)),),
    ),
    "coherent-only": MadeTree(
        _reserved(GOOD, OTHER), (_probe("probe-a", _refers(1)), _probe("probe-b", NEEDS))
    ),
    "malformed-region": MadeTree(
        _reserved(GOOD), (_probe("probe-a", (REGION, cell(FIRST_REGION)[:3])),)
    ),
    "dangling": MadeTree(_reserved(GOOD), (_probe("probe-a", _refers(9)),)),
    "no-device": MadeTree(_reserved(GOOD), (Made("probe-a", (NEEDS,)), _probe("probe-b", NEEDS))),
    "device-disabled": MadeTree(
        _reserved(GOOD), (_probe("probe-a", NEEDS, DISABLED), _probe("probe-b", NEEDS))
    ),
    "by-driver": MadeTree(
        _reserved(GOOD), (_bus(_probe("probe-a", NEEDS), compatible=b"other\0"),)
    ),
    "no-driver": MadeTree(
        _reserved(GOOD), (Made("firmware", (), (_probe("ffa", NEEDS, compatible=b"arm,ffa\0"),)),)
    ),
    "bus-region": MadeTree(_reserved(GOOD), (_bus(_probe("probe-a"), more=(NEEDS,)),)),
    "iommu-disabled": MadeTree(
        _reserved(GOOD),
        (_probe("probe-a", NEEDS, ("iommus", cell(DISABLED_IOMMU) + cell(1))), IOMMU),
    ),
    "cells-differ": MadeTree(
        _reserved(GOOD, more={"#address-cells": cell(1)}), _known(GOOD).devices
    ),
    "refused-flags": _known(_pool(0, _at(0x4E00_0000, MIB), ("reusable", b""))),
    "second-compatible": _known(
        _pool(0, _at(0x4E00_0000, MIB), NO_MAP, compatible=RESTRICTED + SHARED)
    ),
    "bad-reg": _known(_pool(0, ("reg", pair(0x4E00_0000) + cell(MIB)))),
    "size-zero": _known(_pool(0, _at(0x4E00_0000, 0))),
    "empty-reg": _known(_pool(0, ("reg", b""))),
    "no-place": _known(_pool(0)),
    "bad-size": _known(_pool(0, ("size", pair(MIB) + cell(0)), ALIGNED)),
    "no-room": _known(_pool(0, ("size", pair(1 << 40)), ALIGNED)),
    "too-many": _known(*(_pool(one, ("size", pair(4 * KIB)), ALIGNED) for one in range(66))),
    "not-a-pool": MadeTree(
        _reserved(GOOD, Made("other", (_at(0x4D00_0000, MIB),))),
        (
            _probe("probe-a", _refers(9)),
            Made("elsewhere", (), (_pool(9, _at(0x4C00_0000, MIB), name="other"),)),
        ),
    ),
    "not-in-reserved-memory": MadeTree(
        _reserved(GOOD),
        (
            _probe("probe-a", _refers(9)),
            Made("elsewhere", (), (_pool(9, _at(0x4D00_0000, MIB), name="other"),)),
        ),
    ),
    "status-empty": _known(_pool(0, _at(0x4E00_0000, MIB), ("status", b""))),
    "pool-disabled": _known(_pool(0, _at(0x4E00_0000, MIB), DISABLED)),
    "first-entry-only": _known(
        _pool(0, ("reg", pair(0x4E00_0000) + pair(MIB) + pair(0x4D00_0000) + pair(MIB)))
    ),
    "name-differs": _known(_pool(0, _at(0x4E00_0000, MIB), name="pool@4d000000")),
    "freed-by-refused": _known(GOOD, _pool(1, _at(0x4E00_0000, MIB), ("linux,dma-default", b""))),
    "first-pool-only": MadeTree(
        _reserved(GOOD, GOOD_TOO),
        (_probe("probe-a", (REGION, cell(FIRST_REGION) + cell(FIRST_REGION + 1))),),
    ),
    "shared-with-unrestricted": MadeTree(
        _reserved(GOOD), (_probe("probe-a", NEEDS), Made("probe-b", (NEEDS,)))
    ),
    "unused": MadeTree(_reserved(GOOD, GOOD_TOO), _known(GOOD).devices),
    "contiguous-outside-ram": _known(
        GOOD,
        _pool(1, _at(0x9_0000_0000, 4 * MIB), ("reusable", b""), compatible=SHARED),
    ),
    "beyond-dma-ranges": MadeTree(
        _reserved(GOOD), (_bus(_probe("probe-a", NEEDS), more=_reaches(RAM, MIB)),)
    ),
    "partly-in-dma-ranges": MadeTree(
        _reserved(GOOD), (_bus(_probe("probe-a", NEEDS), more=_reaches(0x4E00_0000, MIB // 2)),)
    ),
    "bus-without-cells": MadeTree(
        _reserved(GOOD), (_bus(_probe("probe-a", NEEDS), more=_reaches(RAM, 256 * MIB)[2:]),)
    ),
}
"""A devicetree for each rule that a boot shows, and that is in none of the others."""
