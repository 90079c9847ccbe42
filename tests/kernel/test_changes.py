# SPDX-License-Identifier: Apache-2.0
"""Changes of Linux: the kernel's own sign wins over its version."""

import subprocess
from pathlib import Path

import pytest
from kernel_builds import CROSS
from packaging.version import Version

from harness.base.changes import CHANGES, NEWEST_READ, Change, Sign, SignKind
from harness.base.properties import BEFORE, ENDED, NOT_GUARANTEED, PROPERTIES, text_for
from harness.kernel.changes import change_basis, newer_than_read

STUB = """
    struct io_tlb_mem { long defpool; } mem;
    const char *message = "node has 2 entries, only the first is used";
    int start_kernel(void) { return 0; }
    int dma_map_phys(void) { return mem.defpool != 0; }
"""
SYMBOL, LONGER, TEXT, MEMBER, NO_MEMBER, NO_STRUCTURE = (
    Sign(SignKind.SYMBOL, "dma_map_phys"),
    Sign(SignKind.SYMBOL, "map_phys"),
    Sign(SignKind.TEXT, "only the first is used"),
    Sign(SignKind.MEMBER, "io_tlb_mem.defpool"),
    Sign(SignKind.MEMBER, "io_tlb_mem.cc_shared"),
    Sign(SignKind.MEMBER, "io_tlb_pool.nslabs"),
)


@pytest.fixture(scope="module")
def vmlinux(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ELF file with the signs of a new kernel."""
    directory = tmp_path_factory.mktemp("vmlinux")
    (directory / "stub.c").write_text(STUB)
    command = ["aarch64-linux-gnu-gcc", "-g", "-nostdlib", "-static", "-Wl,-e,0"]
    subprocess.run([*command, "-o", "vmlinux", "stub.c"], cwd=directory, check=True)
    return directory / "vmlinux"


@pytest.mark.parametrize(
    ("sign", "has"), [(SYMBOL, True), (LONGER, False), (TEXT, True), (MEMBER, True)], ids=str
)
@pytest.mark.parametrize("release", ["6.1.0", "7.3.4"])
def test_a_sign_wins_over_the_version(vmlinux: Path, sign: Sign, has: bool, release: str) -> None:
    basis = change_basis(vmlinux, release, Change("what", "6.18", sign))

    assert (basis.has, basis.by_sign) == (has, True)


def test_a_structure_without_the_member_is_of_before(vmlinux: Path) -> None:
    assert not change_basis(vmlinux, "7.3.4", Change("what", "7.3", NO_MEMBER)).has


@pytest.mark.parametrize(("release", "has"), [("6.17.9", False), ("6.18", True), ("7.3.4", True)])
@pytest.mark.parametrize("sign", [None, NO_STRUCTURE], ids=str)
def test_the_version_decides_where_no_sign_can_be_seen(
    vmlinux: Path, release: str, has: bool, sign: Sign | None
) -> None:
    basis = change_basis(vmlinux, release, Change("what", "6.18", sign))

    assert (basis.has, basis.by_sign) == (has, False)


def test_the_version_decides_of_a_vmlinux_without_symbols(vmlinux: Path, tmp_path: Path) -> None:
    stripped = tmp_path / "vmlinux"
    subprocess.run([f"{CROSS}objcopy", "-S", vmlinux, stripped], check=True)

    assert not change_basis(stripped, "6.17", Change("what", "6.18", SYMBOL)).by_sign
    assert change_basis(stripped, "6.17", Change("what", "6.18", TEXT)).by_sign


def test_the_version_decides_without_a_vmlinux(tmp_path: Path) -> None:
    assert change_basis(tmp_path / "none", "7.3", Change("what", "6.18", SYMBOL)).has


@pytest.mark.parametrize("release", ["6.1.192", NEWEST_READ, f"{NEWEST_READ}.4"])
def test_of_a_kernel_that_was_read_nothing_is_said(release: str) -> None:
    assert newer_than_read(release) == ""


@pytest.mark.parametrize("release", ["7.4", "7.10.1", "8.0-rc1"])
def test_of_a_newer_kernel_it_is_said_that_the_newest_rules_apply(release: str) -> None:
    assert f"Linux {release} is newer than {NEWEST_READ}" in newer_than_read(release)


def test_the_changes_are_in_the_order_of_their_versions() -> None:
    versions = [Version(one.since) for one in CHANGES.values()]

    assert versions == sorted(versions)
    assert versions[-1] <= Version(NEWEST_READ)


def test_what_was_before_a_change_is_of_known_properties_and_changes() -> None:
    assert set(BEFORE) <= set(PROPERTIES)
    assert set(ENDED) <= set(NOT_GUARANTEED)
    assert {one for rules in BEFORE.values() for one, _ in rules} | set(ENDED.values()) <= {
        *CHANGES
    }


@pytest.mark.parametrize(
    ("name", "changes", "text"),
    [
        ("B18", (), "dma_map_resource() does not bounce"),
        ("B18", ("map-phys",), PROPERTIES["B18"]),
        ("B20", (), ""),
        ("B20", ("require-coherent",), PROPERTIES["B20"]),
        ("E17", (), "debugfs counts slots and used slots"),
        ("E17", ("used-hiwater",), "debugfs counts slots, used slots and their peak"),
        ("E17", ("used-hiwater", "track-hiwater"), PROPERTIES["E17"]),
        ("G3", (), NOT_GUARANTEED["G3"]),
        ("G3", ("map-phys",), ""),
        ("B1", (), PROPERTIES["B1"]),
    ],
)
def test_a_property_says_what_the_kernel_guarantees(
    name: str, changes: tuple[str, ...], text: str
) -> None:
    assert text_for(name, lambda change: change in changes) == text
