# SPDX-License-Identifier: Apache-2.0
"""Which loops around an exclusive load the firmware lets run as a whole (guest/firmware)."""

import subprocess
from pathlib import Path

import pytest

from harness.base.architecture import CROSS
from harness.machine.bare_program import GUEST

READER = """
#include <stdio.h>
#include "exclusive.h"

static uint32_t code[64];

static uint32_t at(uint64_t pc)
{
    return code[pc / 4];
}

int main(int count, char **words)
{
    size_t read = fread(code, 4, 64, stdin);
    uint64_t pc = 0;

    (void)count, (void)words;
    while (pc < read * 4 && !is_exclusive(code[pc / 4], true))
        pc += 4;
    printf("%d\\n", pc < read * 4 ? (int)(behind_loop(pc, at) / 4) : -1);
    return 0;
}
"""


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reader")
    (folder / "reader.c").write_text(READER)
    program = folder / "reader"
    words = ["-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{GUEST / 'firmware'}"]
    subprocess.run(["gcc", *words, "-o", program, folder / "reader.c"], check=True)
    return program


def behind(reader: Path, source: str, folder: Path) -> int:
    """The instruction behind the loop of the first exclusive load; 0: no loop, -1: no load."""
    (folder / "code.s").write_text(f".arch armv8.1-a\n{source}\n")
    subprocess.run([f"{CROSS}as", "-o", folder / "code.o", folder / "code.s"], check=True)
    objcopy = [f"{CROSS}objcopy", "-O", "binary", "-j", ".text"]
    subprocess.run([*objcopy, folder / "code.o", folder / "code.bin"], check=True)
    content = (folder / "code.bin").read_bytes()
    ran = subprocess.run([reader], input=content, capture_output=True, check=True)
    return int(ran.stdout)


@pytest.mark.parametrize(
    ("source", "number"),
    [
        ("1: ldxr x1, [x0]; add x1, x1, #1; stxr w2, x1, [x0]; cbnz w2, 1b", 4),
        ("1: ldaxr w1, [x0]; orr w1, w1, #2; stlxr w2, w1, [x0]; cbnz x2, 1b; nop", 4),
        ("nop; 1: nop; ldxr x1, [x0]; stxr w2, x1, [x0]; cbnz w2, 1b", 5),
        ("1: ldxp x1, x3, [x0]; stxp w2, x3, x1, [x0]; cbnz w2, 1b", 3),
    ],
    ids=["add", "or with order", "before the load", "pair"],
)
def test_a_loop_that_stores_exclusively_and_goes_back_runs_as_a_whole(
    reader: Path, source: str, number: int, tmp_path: Path
) -> None:
    assert behind(reader, source, tmp_path) == number


@pytest.mark.parametrize(
    "source",
    [
        "1: ldaxr w1, [x0]; add w2, w1, #1; cbnz w1, 1b; nop",
        "1: ldxr x1, [x0]; str x1, [x0]; cbnz w2, 1b",
        "1: ldxr x1, [x0]; stxr w2, x1, [x0]; cbnz w3, 1b",
        "1: ldxr x1, [x0]; cbnz x1, 2f; stxr w2, x1, [x0]; cbnz w2, 1b; 2: nop",
        "ldxr x1, [x0]; 1: stxr w2, x1, [x0]; cbnz w2, 1b",
        "1: ldxr x1, [x0]; wfe; stxr w2, x1, [x0]; cbnz w2, 1b",
        "1: ldxr x1, [x0]; stxr w2, x1, [x0]; cbnz w2, 2f; 2: nop",
        "ldxr x1, [x0]; stxr w2, x1, [x0]; nop; nop; nop; nop; nop; nop; nop; nop",
        "1: ldxr x1, [x0]; casp w4, w5, w6, w7, [x0]; cbnz w4, 1b",
    ],
    ids=[
        *("no store", "plain store", "another register", "leaves", "load outside", "waits"),
        *("goes on", "no branch", "compare and swap"),
    ],
)
def test_what_is_no_such_loop_is_left_alone(reader: Path, source: str, tmp_path: Path) -> None:
    assert behind(reader, source, tmp_path) == 0


def test_a_compare_and_swap_of_a_pair_is_no_exclusive_load(reader: Path, tmp_path: Path) -> None:
    assert behind(reader, "caspal w4, w5, w6, w7, [x0]", tmp_path) == -1
