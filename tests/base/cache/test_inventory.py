# SPDX-License-Identifier: Apache-2.0
"""What the cache holds: each byte of the disk counts once, each thing belongs to its kernel."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from harness.base.cache import Cache
from harness.base.cache.inventory import NEVER, Item, take_inventory
from harness.base.cache.layout import KERNEL, KERNEL_RECORD, MACHINE_RECORD, MANIFEST
from harness.base.cache.usage import Usage, measure
from harness.base.paths import APPLICATION
from harness.base.space import KIB, MIB

pytestmark = pytest.mark.usefixtures("cache")


def kernel(key: str, *series: str) -> Path:
    def fill(directory: Path) -> None:
        (directory / KERNEL_RECORD).write_text(json.dumps({"series": series}))
        (directory / "vmlinux").write_bytes(os.urandom(MIB))

    return Cache("kernels").get(key, fill)


def belongs_to(kind: str, key: str, kernel_key: str) -> Path:
    def fill(directory: Path) -> None:
        (directory / KERNEL).write_text(kernel_key)
        (directory / "state").write_bytes(os.urandom(64 * KIB))

    return Cache(kind).get(key, fill)


def failure(cache: Path, name: str, of: Path) -> Path:
    directory = cache / "failures" / name
    directory.mkdir(parents=True)
    (directory / MACHINE_RECORD).write_text(json.dumps({"kernel": str(of)}))
    (directory / "vmlinux").hardlink_to(of / "vmlinux")
    return directory


def item(path: Path, usage: Usage | None = None) -> Item:
    (found,) = (one for one in take_inventory(usage or Usage()).items if one.path == path)
    return found


def used_by(cache: Path) -> int:
    """The disk space of the cache as du counts it, in bytes."""
    listed = subprocess.run(["du", "-s", "-B1", cache], capture_output=True, check=True).stdout
    (own,) = (one.lstat().st_blocks * 512 for one in [cache])
    return int(listed.split()[0]) - own


def test_the_total_is_what_du_says(cache: Path) -> None:
    plain = kernel("plain")
    for number in range(3):
        belongs_to("parked", f"p{number}", "plain")
        failure(cache, f"f{number}", plain)
    (cache / "history.sqlite").write_bytes(b"x" * 100_000)
    for build in ("build-a", "build-b", "src"):
        (cache / "workspaces" / "debian" / build / "deep" / "er").mkdir(parents=True)
        (cache / "workspaces" / "debian" / build / "deep" / "er" / "o").write_bytes(b"o" * 50_000)
    (cache / "apt" / "lists").mkdir(parents=True)
    (cache / "apt" / "lists" / "main").write_bytes(b"l" * 70_000)
    (cache / "ccache").mkdir()
    (cache / "unknown").mkdir()
    (cache / "unknown" / "file").write_bytes(b"u" * 9_000)
    kinds = sum(path.lstat().st_blocks * 512 for path in cache.iterdir() if path.is_dir())

    inventory = take_inventory(Usage())

    assert used_by(cache) - kinds <= inventory.total <= used_by(cache)


def test_a_hole_takes_no_space(cache: Path) -> None:
    with (cache / "memory.elf").open("wb") as dump:
        dump.truncate(256 * MIB)
        dump.write(b"x")

    assert measure(cache / "memory.elf")[0] < 64 * KIB


def test_a_file_that_a_failure_links_is_freed_with_the_last_of_both(cache: Path) -> None:
    plain = kernel("plain")
    kept = failure(cache, "one", plain)
    assert (item(plain).size, item(kept).size) < (MIB, MIB)
    assert take_inventory(Usage()).shared >= MIB

    Cache("kernels").remove("plain")

    assert item(kept).size >= MIB
    assert take_inventory(Usage()).shared == 0


def test_parked_guests_of_patched_and_of_removed_kernels_go_first() -> None:
    kernel("plain")
    kernel("patched", "a.patch")

    first = {
        name: item(belongs_to("parked", name, name)).first for name in ("plain", "patched", "gone")
    }

    assert first == {"plain": False, "patched": True, "gone": True}


def test_a_kernel_with_a_series_is_worth_less() -> None:
    assert item(kernel("patched", "a.patch")).worth < item(kernel("plain")).worth


def test_a_failure_uses_its_kernel(cache: Path) -> None:
    plain = kernel("plain")
    os.utime(plain, (1000, 1000))
    kept = failure(cache, "one", plain)

    assert item(plain).used == item(kept).used
    assert item(kept).kernel == "plain"


def test_a_failure_uses_the_guest_programs_of_its_kernel(cache: Path) -> None:
    programs = belongs_to("initramfs", "i", "plain")
    os.utime(programs, (1000, 1000))
    kept = failure(cache, "one", kernel("plain"))

    assert item(programs).used == item(kept).used


def test_a_workspace_is_used_when_its_builds_are_and_does_not_contain_them(cache: Path) -> None:
    workspace = cache / "workspaces" / "debian"
    build = workspace / "build-a"
    build.mkdir(parents=True)
    (build / "vmlinux").write_bytes(b"v" * MIB)
    os.utime(workspace, (1000, 1000))

    assert item(workspace).size < MIB <= item(build).size
    assert item(build).used <= item(workspace).used


@pytest.mark.parametrize("name", ["history.sqlite", "runs", "fuzz", "nightly", "new-kind"])
def test_results_and_the_state_of_jobs_are_never_evicted(cache: Path, name: str) -> None:
    path = cache / name
    if "." in name:
        path.write_text("results")
    else:
        path.mkdir()
        (path / "file").write_text("results")

    assert item(path).worth == NEVER


def test_what_another_cache_holds_is_not_counted(cache: Path, tmp_path: Path) -> None:
    other = tmp_path.parent / "other"
    (other / "packages" / "entry").mkdir(parents=True)
    (other / "packages" / "entry" / MANIFEST).write_text("{}")
    (cache / "packages").symlink_to(other / "packages")

    assert take_inventory(Usage()).of("packages") == []


def test_run_directories_are_not_counted(cache: Path) -> None:
    (cache / f"{APPLICATION}-0" / "run-a").mkdir(parents=True)
    (cache / f"{APPLICATION}-0" / "run-a" / "ram").write_bytes(b"r" * MIB)

    assert take_inventory(Usage()).total < MIB


def test_a_size_that_is_known_is_not_measured_again() -> None:
    parked = belongs_to("parked", "a", "plain")
    usage = Usage({"parked/a": 12345, "parked/gone": 1})

    assert item(parked, usage).size == 12345
    assert "parked/gone" not in usage.sizes
    assert (
        next(one for one in take_inventory(usage, anew=True).items if one.path == parked).size
        > 12345
    )
