# SPDX-License-Identifier: Apache-2.0
"""The kernel's pools as read from its structures, in the layouts of 6.1 and of 6.12."""

import ast
from pathlib import Path

import pytest
from memory_stub import StubTypes, stub_program

from harness.base.errors import AddressError, NotInKernel
from harness.observe.memory import (
    Slot,
    as_now,
    default_pool,
    device_pool,
    require_recognised,
    reserved_regions,
    restricted_pools,
    slot_runs,
    slots,
    slots_in_use,
)
from harness.shell import drgn_swiotlb

LAYOUTS = {
    "6.1": """
        struct slot { unsigned long orig_addr, alloc_size; unsigned int list; };
        struct io_tlb_mem {
            unsigned long start, end, nslabs;
            _Bool force_bounce, for_alloc;
            unsigned int nareas;
            struct area *areas;
            struct slot *slots;
        };
        #define POOL(...) { __VA_ARGS__, .force_bounce = 1, .for_alloc = 1 }
        #define PADDED(...) { __VA_ARGS__ }
    """,
    "6.12": """
        struct slot { unsigned long orig_addr, alloc_size; unsigned short list, pad_slots; };
        struct io_tlb_pool {
            unsigned long start, end, nslabs;
            unsigned int nareas;
            struct area *areas;
            struct slot *slots;
        };
        struct io_tlb_mem {
            struct io_tlb_pool defpool;
            unsigned long nslabs;
            _Bool force_bounce, for_alloc;
            struct { long counter; } total_used, used_hiwater;
        };
        #define POOL(...) { .defpool = { __VA_ARGS__ }, .nslabs = 4, .force_bounce = 1, \\
                            .for_alloc = 1, .total_used = { 3 }, .used_hiwater = { 4 } }
        #define PADDED(...) { __VA_ARGS__, .pad_slots = 1 }
    """,
}

LAYOUTS["7.3"] = LAYOUTS["6.12"] + "static _Bool track_hiwater_enabled;\n"

SWIOTLB = """
    const int rmem_swiotlb_ops = 1;
    static struct area areas[2] = { { 2 }, { 1 } };
    static struct slot slots[4] = {
        { .orig_addr = 0x40001000, .alloc_size = 3000, .list = 0 },
        PADDED(.orig_addr = 0x40001800, .alloc_size = 952, .list = 0),
        { .orig_addr = -1UL, .alloc_size = 2048, .list = 0 },
        { .orig_addr = -1UL, .alloc_size = 0, .list = 1 },
    };
    struct io_tlb_mem pool = POOL(.start = 0x4f000000, .end = 0x4f002000, .nslabs = 4,
                                  .nareas = 2, .areas = areas, .slots = slots);
    struct io_tlb_mem broken = POOL(.nareas = 1, .areas = (void *)0x10);
    struct io_tlb_mem io_tlb_default_mem;
    struct device { struct io_tlb_mem *dma_io_tlb_mem; };
    struct device restricted = { &pool }, plain = { &io_tlb_default_mem }, none;
    struct device devices[] = { { &pool }, { &io_tlb_default_mem }, { 0 } };
"""

RESERVED = """
    extern const int rmem_swiotlb_ops;
    extern int pool;
    static const int other_ops;
    static struct { const char *name; const void *ops; unsigned long base, size; void *priv; }
    reserved_mem[] = {
        { "attached", &rmem_swiotlb_ops, 0x4f000000, 0x2000, &pool },
        { "waiting", &rmem_swiotlb_ops, 0x4e000000, 0x1000, 0 },
        { "cma", &other_ops, 0x4d000000, 0x1000, &pool },
        { "beyond the count", 0, 0, 0, 0 },
    };
    static int reserved_mem_count = 3;
"""

DECOY = "static int reserved_mem_count = 0;\n"
"""6.12 has a second variable of this name, and drgn finds either first."""


def compile_kernel(
    place: Path, layout: str, reserved: str = RESERVED, swiotlb: str = SWIOTLB
) -> StubTypes:
    area = "struct area { unsigned long used; };"
    version, text = (layout, LAYOUTS[layout]) if layout in LAYOUTS else ("6.12", layout)
    sources = {
        "mm/memblock.c": DECOY,
        "kernel/dma/swiotlb.c": area + text + swiotlb,
        "drivers/of/of_reserved_mem.c": reserved,
    }
    return StubTypes(stub_program(place, sources), version)


@pytest.fixture(scope="module", params=LAYOUTS)
def types(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StubTypes:
    return compile_kernel(tmp_path_factory.mktemp("kernel"), request.param)


def test_every_recorded_node_is_listed_with_who_took_it(types: StubTypes) -> None:
    regions = reserved_regions(types)

    assert [(region.name, region.restricted) for region in regions] == [
        ("attached", True),
        ("waiting", True),
        ("cma", False),
    ]


def test_a_pool_without_a_device_is_a_region_but_not_a_pool_yet(types: StubTypes) -> None:
    assert [pool.name for pool in restricted_pools(types)] == ["attached"]


def test_a_pool_s_place_and_flags_are_read(types: StubTypes) -> None:
    pool = restricted_pools(types)[0]

    assert (pool.base, pool.size) == (0x4F000000, 0x2000)
    assert (pool.force_bounce, pool.for_alloc) == (True, True)


def test_slots_in_use_are_summed_over_the_areas(types: StubTypes) -> None:
    pool = restricted_pools(types)[0]

    assert (pool.nslabs, pool.total_nslabs, pool.nareas, pool.used) == (4, 4, 2, 3)


def test_slots_are_summed_over_memory_by_which_a_pool_has_grown(tmp_path: Path) -> None:
    layout = LAYOUTS["6.12"].replace("*slots;\n        };", "*slots; struct list_head node; };")
    layout = layout.replace("for_alloc;", "for_alloc; struct list_head pools;")
    layout = layout.replace(
        ".defpool = { __VA_ARGS__ }",
        ".defpool = { __VA_ARGS__, .node = { &grown.node } }, .pools = { &pool.defpool.node }",
    )
    grown = """
        extern struct io_tlb_mem pool;
        static struct io_tlb_pool grown = { .nslabs = 8, .nareas = 2, .areas = areas,
                                            .node = { &pool.pools } };
        struct io_tlb_mem pool ="""
    lists = "struct list_head { struct list_head *next, *prev; };\n"
    types = compile_kernel(
        tmp_path, lists + layout, swiotlb=SWIOTLB.replace("\n    struct io_tlb_mem pool =", grown)
    )

    pool = restricted_pools(types)[0]

    assert (pool.nslabs, pool.nareas, pool.used) == (4, 2, 6)


def test_the_second_account_of_slots_is_read_where_the_kernel_keeps_it(
    types: StubTypes, request: pytest.FixtureRequest
) -> None:
    pool = restricted_pools(types)[0]

    counting = request.node.callspec.params["types"] == "6.12"
    assert (pool.counted, pool.hiwater) == ((3, 4) if counting else (None, None))


def test_the_slots_in_use_are_those_of_all_that_are(types: StubTypes) -> None:
    pool = restricted_pools(types)[0]

    assert slots_in_use(types, pool) == tuple(one for one in slots(types, pool) if one.in_use)


def test_slots_in_use_are_told_by_their_mappings() -> None:
    sizes = [4096, 2048, 4096, 2048, 100, 0, 512]
    found = [Slot(at, at, 0, size, int(size == 0), 0) for at, size in enumerate(sizes)]

    runs = [[slot.index for slot in run] for run in slot_runs(found)]

    assert runs == [[0, 1], [2, 3, 4], [6]]


def test_a_pool_is_read_again(types: StubTypes) -> None:
    (pool,) = restricted_pools(types)

    assert as_now(types, pool) == pool


def test_a_kernel_without_the_feature_has_no_pools(tmp_path: Path) -> None:
    untaken = RESERVED.replace("&rmem_swiotlb_ops", "0").replace("&pool", "0")
    swiotlb = SWIOTLB.replace("{ &pool }", "{ &io_tlb_default_mem }")
    types = compile_kernel(tmp_path, "6.12", untaken, swiotlb.replace("rmem_swiotlb_ops", "unused"))

    assert not any(region.restricted for region in reserved_regions(types))
    assert restricted_pools(types) == ()
    require_recognised(reserved_regions(types), ["attached"])


def test_pools_are_found_by_their_devices_when_their_operations_have_another_name(
    tmp_path: Path,
) -> None:
    renamed = RESERVED.replace("rmem_swiotlb_ops", "other_name")
    types = compile_kernel(
        tmp_path, "6.12", renamed, SWIOTLB.replace("rmem_swiotlb_ops", "other_name")
    )

    assert [region.restricted for region in reserved_regions(types)] == [True, True, False]
    assert [(pool.name, pool.used) for pool in restricted_pools(types)] == [("attached", 3)]


def test_a_pool_that_is_not_recognised_is_said(tmp_path: Path) -> None:
    renamed = RESERVED.replace("rmem_swiotlb_ops", "other_name")
    swiotlb = SWIOTLB.replace("rmem_swiotlb_ops", "other_name").replace("{ &pool }", "{ 0 }")
    types = compile_kernel(tmp_path, "6.12", renamed, swiotlb)

    with pytest.raises(NotInKernel, match=r"the restricted pool waiting .* no symbol rmem_swiotlb"):
        require_recognised(reserved_regions(types), ["waiting"])


def test_a_node_that_another_driver_took_is_not_a_restricted_pool(types: StubTypes) -> None:
    require_recognised(reserved_regions(types), ["attached", "cma"])


def test_a_pool_that_a_device_has_and_no_node_is_found(tmp_path: Path) -> None:
    untaken = RESERVED.replace("&rmem_swiotlb_ops", "0").replace("&pool", "0")
    types = compile_kernel(tmp_path, "6.12", untaken)

    assert [(pool.name, pool.base) for pool in restricted_pools(types)] == [("orphan", 0x4F000000)]


def test_a_mapped_slot_says_what_bounces_through_it(types: StubTypes) -> None:
    first = slots(types, restricted_pools(types)[0])[0]

    assert first == Slot(0, 0x4F000000, 0x40001000, 3000, list=0, pad=0)


def test_padding_is_read_where_the_kernel_has_it(types: StubTypes) -> None:
    second = slots(types, restricted_pools(types)[0])[1]

    padded = types.program.type("struct slot").has_member("pad_slots")
    assert second.pad == int(padded)


def test_a_coherent_slot_is_in_use_and_has_no_origin(types: StubTypes) -> None:
    third = slots(types, restricted_pools(types)[0])[2]

    assert (third.in_use, third.orig_addr) == (True, None)


def test_a_free_slot_is_not_in_use(types: StubTypes) -> None:
    fourth = slots(types, restricted_pools(types)[0])[3]

    assert (fourth.in_use, fourth.phys) == (False, 0x4F001800)


def test_the_pool_of_a_restricted_device_is_named(types: StubTypes) -> None:
    pool = device_pool(types, "restricted")

    assert pool == restricted_pools(types)[0]


def test_a_plain_device_has_the_default_pool(types: StubTypes) -> None:
    pool = device_pool(types, "plain")

    assert pool is not None
    assert pool.name == "default"


def test_a_device_may_have_no_pool(types: StubTypes) -> None:
    assert device_pool(types, "none") is None


def test_a_default_pool_that_was_never_set_up_is_none(types: StubTypes) -> None:
    assert default_pool(types) is None


def test_a_damaged_pointer_is_reported(tmp_path: Path) -> None:
    broken = RESERVED.replace("pool", "broken")
    types = compile_kernel(tmp_path, "6.12", broken)

    with pytest.raises(AddressError, match="cannot read the restricted pools"):
        restricted_pools(types)


def test_a_kernel_without_reserved_memory_support_is_reported(tmp_path: Path) -> None:
    types = StubTypes(stub_program(tmp_path, {"init/main.c": "int x;\n"}))

    with pytest.raises(NotInKernel, match=r"cannot read the reserved memory .* no variable reserv"):
        reserved_regions(types)


def test_the_helpers_for_peoples_own_vmcores_see_the_same_pools(types: StubTypes) -> None:
    (ours,) = restricted_pools(types, reserved_regions(types))

    mem = drgn_swiotlb.restricted_mem(types.program, ours.name)
    used = drgn_swiotlb.for_each_used_slot(mem)

    assert mem.value_() == ours.address
    assert [index for index, _ in used] == [slot.index for slot in slots_in_use(types, ours)]
    assert drgn_swiotlb.slot_of(types.program, 0x4F00_1800) == (ours.name, 3)
    assert drgn_swiotlb.slot_of(types.program, 0x4F00_2000) is None
    with pytest.raises(LookupError, match="there are attached"):
        drgn_swiotlb.restricted_mem(types.program, "detached")


def test_the_helpers_import_nothing_of_the_harness() -> None:
    imported = [
        name
        for node in ast.walk(ast.parse(Path(drgn_swiotlb.__file__).read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in [getattr(node, "module", None) or node.names[0].name]
    ]

    assert {name.partition(".")[0] for name in imported} == {"collections", "drgn"}
