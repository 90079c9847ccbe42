# SPDX-License-Identifier: Apache-2.0
"""Every mutant of tests/mutants/ is well described; what is not is refused with a reason."""

import subprocess
from collections import Counter
from pathlib import Path

import pytest

from harness.base.errors import InputError
from harness.jobs.mutants.mutant import (
    CLASSES,
    HARMLESS,
    MUTANTS,
    Mutant,
    read_mutant,
    read_mutants,
)
from harness.kernel.patches.series import read_series

PLACES = (
    "kernel/dma/",
    "drivers/of/",
    "drivers/virtio/",
    "include/linux/",
    "kernel/kexec",
    "arch/arm64/mm/",
)

HEADER = """\
Subject: swiotlb: something
Class: escape
Breaks: B1
Seen-by: any mapping
Tier: default
"""


@pytest.fixture(scope="module", name="mutants")
def mutants_() -> list[Mutant]:
    return read_mutants()


def write(directory: Path, header: str, name: str = "01-escape-x.patch") -> Path:
    path = directory / name
    path.write_text(f"{header}\nWhy.\n\n--- a/kernel/dma/direct.c\n+++ b/kernel/dma/direct.c\n")
    return path


def test_there_are_enough_of_every_class(mutants: list[Mutant]) -> None:
    counts = Counter(mutant.kind for mutant in mutants)

    assert set(counts) == CLASSES
    assert counts.total() - counts[HARMLESS] >= 44
    assert counts[HARMLESS] >= 6


def test_each_number_and_each_subject_is_there_once(mutants: list[Mutant]) -> None:
    assert [mutant.number for mutant in mutants] == list(range(1, len(mutants) + 1))
    assert len({mutant.subject for mutant in mutants}) == len(mutants)


def test_each_is_one_patch_of_the_code_under_test(mutants: list[Mutant]) -> None:
    for mutant in mutants:
        (patch,) = read_series([mutant.path])
        assert patch.paths, mutant.name
        assert all(path.startswith(PLACES) for path in patch.paths), mutant.name


def test_git_can_read_each(mutants: list[Mutant]) -> None:
    paths = [str(mutant.path) for mutant in mutants]

    subprocess.run(["git", "apply", "--numstat", *paths], check=True, stdout=subprocess.DEVNULL)


def test_each_is_kernel_code(mutants: list[Mutant]) -> None:
    for mutant in mutants:
        assert "SPDX-License-Identifier: GPL-2.0-only\n" in mutant.path.read_text(), mutant.name


def test_a_header_is_read(tmp_path: Path) -> None:
    header = HEADER.replace("default", "nightly (many\n CPUs)")
    header += "Flavour: numa\nKernel: debian:6.1\n"

    mutant = read_mutant(write(tmp_path, header))

    assert (mutant.name, mutant.breaks, mutant.harmless) == ("01-escape-x", ("B1",), False)
    assert (mutant.tier, mutant.flavour) == ("nightly", "numa")
    assert mutant.spec.series == (mutant.path,)
    assert (mutant.spec.source, mutant.spec.flavour) == ("debian:6.1", "numa")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("Class: escape", "Class: flight", "'flight' is not a class"),
        ("Class: escape", "Class: hang", "must be called NN-hang-NAME.patch"),
        ("Breaks: B1", "Breaks: B99", "unknown property 'B99'"),
        ("Breaks: B1\n", "", "must break a property"),
        ("Breaks: B1", "Harmless: yes", "go together"),
        ("Seen-by: any mapping\n", "", "no Seen-by"),
        ("Tier: default", "Tier: nightly", "the reason"),
    ],
)
def test_a_bad_header_is_refused(tmp_path: Path, old: str, new: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        read_mutant(write(tmp_path, HEADER.replace(old, new)))


def test_mutants_are_chosen_by_number_name_or_glob(tmp_path: Path) -> None:
    for name in ("01-escape-x", "02-escape-y", "10-escape-z", "100-escape-y"):
        write(tmp_path, HEADER, f"{name}.patch")

    chosen = read_mutants(["01", "10-escape-z", "*-y"], tmp_path)

    assert [mutant.number for mutant in chosen] == [1, 2, 10, 100]


def test_a_name_that_no_mutant_has_is_refused() -> None:
    with pytest.raises(InputError, match=f"no mutant in {MUTANTS} is called 'B1'"):
        read_mutants(["B1"])
