# SPDX-License-Identifier: Apache-2.0
"""The answers about sizes as a table, as text and for a program."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from harness.jobs.size import as_json, size_details, size_table
from harness.jobs.size.answers import Ending, Holder, Level, Sizing, Trial
from harness.jobs.size.size_text import pool_text

HOLDER = Holder(("vring_map_one_sg", "virtqueue_add_split"), "dma_map_page", False, 261, 523)
AMPLE = Trial(
    16 << 20, Ending.WORKS, bound=4, peak=523, largest=262144, waits=16, holders=(HOLDER,)
)
NEVER = Trial(
    1 << 20, Ending.NEVER_ENDS, "no request", peak=512, refused=True, said=("buffer is full",)
)
BLK = Sizing(
    "virtio-blk",
    "virtio-pci",
    "dd",
    ample=AMPLE,
    smallest={Level.FULL_SPEED: 5 << 18, Level.NO_ERRORS: 5 << 18, Level.ENDS: 5 << 18},
    below=(NEVER,),
)
NVME = Sizing("nvme", "nvme", "dd", reason="CONFIG_BLK_DEV_NVME is not set")


def rows() -> list[list[str]]:
    console = Console(width=200, file=io.StringIO())
    with console.capture() as printed:
        console.print(size_table([BLK, NVME]))
    lines = [line for line in printed.get().splitlines() if line.startswith("\u2502")]
    return [[cell.strip() for cell in line.strip("\u2502").split("\u2502")] for line in lines]


def test_a_row_has_the_slots_the_pools_and_the_finding() -> None:
    blk, nvme = rows()

    pools = ["1.25 MiB"] * 3
    known = "never ends (virtio-blk-retries-for-ever)"
    assert blk == ["virtio-blk", "4", "523", "256 KiB", *pools, known]
    assert nvme == ["nvme", *["-"] * 6, "CONFIG_BLK_DEV_NVME is not set"]


def test_the_details_say_who_holds_the_slots_and_what_the_kernel_said() -> None:
    said = size_details([BLK, NVME])

    assert "16 MiB: works; peak 523 of 8192 slots; waits 16 times" in said
    assert (
        "at peak     523 slots (1 MiB): 261 x mapped by vring_map_one_sg() <- virtqueue_add_split()"
    ) in said
    assert "1 MiB: never ends (virtio-blk-retries-for-ever); no request; peak 512 of 512" in said
    assert "kernel      buffer is full" in said
    assert "nvme" not in said


def test_holders_that_are_not_those_of_the_peak_are_not_said_to_be() -> None:
    card = replace(BLK, ample=replace(AMPLE, peak=600, exact=False), below=())

    (line,) = (one for one in size_details([card]).splitlines() if "523 slots" in one)
    assert line.startswith("  at the end  523 slots")
    assert "peak >= 600 of 8192 slots" in size_details([card])


def test_a_program_is_told_the_same() -> None:
    content = json.loads(json.dumps(as_json("6.12", "QEMU", [BLK, NVME])))

    blk, nvme = content["devices"]
    assert content["exit_code"] == 2
    assert blk["smallest"] == {"full_speed": 5 << 18, "no_errors": 5 << 18, "ends": 5 << 18}
    assert blk["ample"]["peak"] == 523
    assert blk["below"][0]["finding"] == "virtio-blk-retries-for-ever"
    assert blk["below"][0]["outcome"] == "never ends"
    assert nvme["reason"] == "CONFIG_BLK_DEV_NVME is not set"
    assert nvme["ample"] is None


@pytest.mark.parametrize(
    ("size", "text"),
    [(1 << 18, "256 KiB"), (5 << 18, "1.25 MiB"), (1 << 20, "1 MiB"), (1 << 24, "16 MiB")],
)
def test_the_size_of_a_pool_is_exact(size: int, text: str) -> None:
    assert pool_text(size) == text
