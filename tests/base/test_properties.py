# SPDX-License-Identifier: Apache-2.0
"""Property ids have one order."""

from harness.base.properties import NOT_GUARANTEED, PROPERTIES, in_order


def test_ids_are_sorted_by_their_numbers_and_words_are_ids_too() -> None:
    assert in_order(["B12", "FENCE", "B2", "G1", "B2", "A10"]) == (
        "A10",
        "B2",
        "B12",
        "FENCE",
        "G1",
    )


def test_the_tables_are_in_order() -> None:
    for table in (PROPERTIES, NOT_GUARANTEED):
        assert tuple(table) == in_order(table)
