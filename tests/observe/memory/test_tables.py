# SPDX-License-Identifier: Apache-2.0
"""Arrays of structures are read by member, whatever lies between the members."""

from pathlib import Path

from memory_stub import stub_program

from harness.observe.memory.tables import read_table

SOURCE = """
    struct row {
        unsigned char first;
        union { unsigned long link; void *other; };
        unsigned short last;
    } rows[] = { { 1, { 0x1122334455667788 }, 2 }, { 3, { -1UL }, 4 } };
"""


def test_members_come_in_the_order_asked_for(tmp_path: Path) -> None:
    program = stub_program(tmp_path, {"rows.c": SOURCE})

    table = list(read_table(program["rows"][0].address_of_(), 2, ("last", "link", "first")))

    assert table == [(2, 0x1122334455667788, 1), (4, 0xFFFFFFFFFFFFFFFF, 3)]
