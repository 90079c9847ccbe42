# SPDX-License-Identifier: Apache-2.0
"""Costs of DMA API calls: kept in a file, compared, and told as a table."""

import io
from pathlib import Path

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
    cost_table,
    load_costs,
    save_costs,
)

MAP = Cost("map TO_DEVICE", 4096, "pool", 0, 1204)
FULL = Cost("map TO_DEVICE", 4096, "pool", 90, 2204)
BARE = Cost("map TO_DEVICE", 4096, "no pool", 0, 93)
REFUSED = Cost("alloc coherent", 65536, "pool", 0, None)

COSTS = st.lists(
    st.builds(
        Cost,
        st.sampled_from(["map", "unmap"]),
        st.integers(1, 1 << 18),
        st.sampled_from(["pool", "no pool"]),
        st.integers(0, 99),
        st.none() | st.integers(1),
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
    costs = (MAP, FULL, BARE, REFUSED)

    save_costs(costs, tmp_path / "costs.json")

    assert load_costs(tmp_path / "costs.json") == costs


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no file of 'harness cost --json'"),
        ("[]", "no file of"),
        ('{"format": 7, "costs": []}', "is of format 7, expected 1"),
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
    assert [one.per_cent and round(one.per_cent) for one in changes] == [None, 100, 62, None]
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


def test_a_row_has_a_call_and_a_column_a_kind_of_device() -> None:
    table = text(cost_table([MAP, FULL, BARE, REFUSED]))

    (row,) = [line for line in table.splitlines() if "map TO_DEVICE" in line]
    assert row.replace("│", " ").split()[2:] == ["4", "KiB", "1204", "2204", "93"]
    assert "pool, 90 % full" in table
