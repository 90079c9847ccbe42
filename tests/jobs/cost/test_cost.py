# SPDX-License-Identifier: Apache-2.0
"""Costs of DMA API calls: kept in a file, compared, and told as a table."""

import io
import json
from dataclasses import replace
from math import inf
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from harness.base.errors import InputError
from harness.jobs.cost import (
    Cost,
    beyond,
    change_lines,
    change_table,
    compare_costs,
    cost_page,
    cost_plot,
    cost_table,
    full_table,
    load_costs,
    save_costs,
    work_table,
)
from harness.jobs.cost.cost import median_cost

SVG = "{http://www.w3.org/2000/svg}"

MAP = Cost("map TO_DEVICE", 4096, "pool", 0, 1204, copied=4096)
FULL = Cost("map TO_DEVICE", 4096, "pool", 90, 2204, copied=4096)
BARE = Cost("map TO_DEVICE", 4096, "no pool", 0, 93, copied=0)
REFUSED = Cost("alloc coherent", 65536, "pool", 0, None)
READ = Cost("read of a disk", 4096, "pool", 0, 23330, 14466, 87625, 8300)
ALL = (MAP, FULL, BARE, REFUSED, READ)

COSTS = st.lists(
    st.builds(
        Cost,
        st.sampled_from(["map", "unmap"]),
        st.integers(1, 1 << 18),
        st.sampled_from(["pool", "no pool"]),
        st.integers(0, 99),
        st.none() | st.integers(1),
        copied=st.none() | st.integers(0),
    ),
    unique_by=lambda one: one.subject,
)


def text(table: Table) -> str:
    console = Console(width=200, file=io.StringIO())
    with console.capture() as printed:
        console.print(table)
    return printed.get()


@given(COSTS)
def test_a_kernel_does_not_differ_from_itself(costs: list[Cost]) -> None:
    assert compare_costs(costs, costs) == ()


def test_costs_survive_their_file(tmp_path: Path) -> None:
    save_costs(ALL, tmp_path / "costs.json")

    assert load_costs(tmp_path / "costs.json") == ALL


@pytest.mark.parametrize(("format_", "ranges"), [(1, {}), (2, {"low": None, "high": None})])
def test_a_file_without_bytes_is_read(
    format_: int, ranges: dict[str, None], tmp_path: Path
) -> None:
    path = tmp_path / "old.json"
    one = {"call": "map TO_DEVICE", "size": 4096, "kind": "pool", "full": 0, "instructions": 1204}
    path.write_text(json.dumps({"format": format_, "unit": "", "costs": [one | ranges]}))

    (cost,) = load_costs(path)

    assert cost == replace(MAP, copied=None)
    assert compare_costs([cost], [MAP]) == ()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no file of 'harness cost --json'"),
        ("[]", "no file of"),
        ('{"format": 7, "costs": []}', "is of format 7, expected 3"),
        ('{"format": 1, "costs": [{"call": "map"}]}', "no file of"),
    ],
)
def test_another_file_is_refused(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "costs.json"
    path.write_text(content)

    with pytest.raises(InputError, match=said):
        load_costs(path)


def test_what_grew_most_comes_first() -> None:
    doubled = Cost("map TO_DEVICE", 4096, "pool", 90, 4408)
    grown = Cost("map TO_DEVICE", 4096, "pool", 0, 1950)
    served = Cost("alloc coherent", 65536, "pool", 0, 5000)
    dear = Cost("map TO_DEVICE", 4096, "no pool", 0, None)

    changes = compare_costs([MAP, FULL, BARE, REFUSED], [grown, doubled, dear, served])

    assert [one.after for one in changes] == [dear, doubled, grown, served]
    assert [round(one.growth, -1) for one in changes] == [inf, 100, 60, -inf]
    assert [one.after for one in beyond(changes, 62)] == [dear, doubled]
    assert beyond(changes, None) == ()
    assert change_lines(changes, 2) == (
        "map TO_DEVICE 4 KiB (no pool): 93 -> refused",
        "map TO_DEVICE 4 KiB (pool, 90 % full): 2204 -> 4408, +100 %",
        "and 2 more",
    )
    table = text(change_table(changes))
    assert "+62.0 %" in table
    assert "refused" in table


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        (MAP, replace(MAP, copied=8192), "4096 -> 8192 bytes copied, +100 %"),
        (BARE, replace(BARE, copied=4096), "0 -> 4096 bytes copied"),
        (
            READ,
            replace(READ, instructions=24000, copied=12396),
            "8300 -> 12396 bytes copied, +49 %",
        ),
        (
            MAP,
            replace(MAP, instructions=1216, copied=8192),
            "1204 -> 1216, +1 %; 4096 -> 8192 bytes copied, +100 %",
        ),
        (
            MAP,
            replace(MAP, instructions=1806, copied=0),
            "1204 -> 1806, +50 %; 4096 -> 0 bytes copied, -100 %",
        ),
    ],
)
def test_other_bytes_are_a_change_and_the_larger_growth_counts(
    before: Cost, after: Cost, line: str
) -> None:
    changes = compare_costs([before], [after])

    (said,) = change_lines(changes, 1)
    assert said.endswith(f"): {line}")
    assert beyond(changes, 40) == changes
    assert "bytes copied" in text(change_table(changes))


def test_fewer_bytes_are_a_change_within_every_limit() -> None:
    changes = compare_costs([MAP], [replace(MAP, copied=0)])

    assert len(changes) == 1
    assert beyond(changes, 0) == ()


def rows(table: Table) -> list[list[str]]:
    lines = [line for line in text(table).splitlines() if line.startswith("\u2502")]
    return [[cell.strip() for cell in line.strip("\u2502").split("\u2502")] for line in lines]


def test_a_row_has_a_call_and_a_column_a_kind_of_device() -> None:
    assert rows(cost_table(ALL)) == [
        ["map TO_DEVICE", "4 KiB", "1204", "4096", "93"],
        ["alloc coherent", "64 KiB", "refused", "", ""],
    ]


def test_a_row_has_the_growth_with_how_full_the_pool_is() -> None:
    assert rows(full_table(ALL)) == [
        ["map TO_DEVICE", "4 KiB", "1204", "2204"],
        ["map TO_DEVICE: bytes copied", "4 KiB", "4096", "4096"],
    ]
    assert full_table([MAP, BARE]).row_count == 0


def test_what_differs_from_time_to_time_has_its_range() -> None:
    assert rows(work_table(ALL)) == [["read of a disk", "4 KiB", "23330 (14466 to 87625)", "8300"]]


def test_the_median_of_several_times_counts() -> None:
    assert median_cost("read", 4096, "pool", [5, 9, 1, 7, 100], [40, 40, 80]) == Cost(
        "read", 4096, "pool", 0, 7, 1, 100, 40
    )


@pytest.mark.parametrize(("low", "high", "differs"), [(90, 120, False), (121, 140, True)])
def test_ranges_that_overlap_are_no_change(low: int, high: int, differs: bool) -> None:
    before = Cost("read", 4096, "pool", 0, 110, 100, 120)
    after = Cost("read", 4096, "pool", 0, 130, low, high)

    assert bool(compare_costs([before], [after])) is differs
    assert bool(compare_costs([after], [before])) is differs


def test_the_plot_has_a_line_for_each_kind_and_a_point_for_each_number() -> None:
    larger = Cost("map TO_DEVICE", 65536, "pool", 0, 11302)
    plot = ElementTree.fromstring(cost_plot([*ALL, larger]))

    lines = plot.findall(f"{SVG}polyline")
    tips = [tip.text for tip in plot.findall(f"{SVG}circle/{SVG}title")]
    by_size, by_full = ["pool: 1204", "pool: 11302", "no pool: 93"], ["pool: 1204", "pool: 2204"]
    assert len(lines) == 3
    assert tips == [*by_size, *by_full]
    assert all(0 <= float(at) <= 800 for line in lines for at in _numbers(line)[::2])
    assert all(0 <= float(at) <= 300 for line in lines for at in _numbers(line)[1::2])


def _numbers(line: ElementTree.Element) -> list[str]:
    return line.attrib["points"].replace(",", " ").split()


def test_nothing_to_plot_is_an_empty_plot() -> None:
    assert ElementTree.fromstring(cost_plot([])).findall(f"{SVG}polyline") == []


def test_the_page_has_the_plot_and_the_tables() -> None:
    page = cost_page(ALL, "6.12 <rc>")

    assert "<svg" in page
    assert "kernel 6.12 &lt;rc&gt;" in page
    assert "<td>23330 (14466 to 87625)</td><td>8300</td>" in page
    assert page.count("<table>") == 3
    assert cost_page([MAP], "6.12").count("<table>") == 1
