# SPDX-License-Identifier: Apache-2.0
"""``harness cache`` for people: what takes the space, and what prune removes."""

import json
import os
import time
from pathlib import Path

import pytest
from kernel_trees import SLOTS_PATCH, tiny_tree

from harness.base.cache import Cache
from harness.base.cache.budget import VARIABLE
from harness.base.cache.layout import KERNEL, MACHINE_RECORD
from harness.base.cache.lease import leases
from harness.cli import main
from harness.kernel.source.workspace import open_workspace, workspaces

MAIL = b"From: A <a@example.org>\nSubject: [PATCH 1/1] swiotlb: make the pool small\n\nWhy.\n---\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    directory = tmp_path / "cache"
    monkeypatch.setenv("HARNESS_CACHE", str(directory))
    monkeypatch.setenv(VARIABLE, "8G")
    monkeypatch.setattr("harness.cli.machines.default_fragments", tuple)
    return directory


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tiny_tree(tmp_path / "tree")


def build(tree: Path, *words: str) -> Path:
    """Build a kernel, and return its entry, which nobody uses."""
    with leases():
        assert main(["kernel", "build", str(tree), *words]) == 0
    return max(kernels(), key=lambda path: path.stat().st_mtime)


def kernels() -> list[Path]:
    return [path for path in Cache("kernels").root.iterdir() if path.is_dir()]


def park(kernel: Path) -> Path:
    def fill(directory: Path) -> None:
        (directory / KERNEL).write_text(kernel.name)
        (directory / "state").write_bytes(os.urandom(200_000))

    with leases():
        return Cache("parked").get(kernel.name, fill)


def fail(cache: Path, kernel: Path) -> Path:
    directory = cache / "failures" / "a-failure"
    directory.mkdir(parents=True)
    (directory / MACHINE_RECORD).write_text(json.dumps({"kernel": str(kernel)}))
    return directory


def ago(path: Path, days: float) -> None:
    os.utime(path, (time.time() - days * 24 * 3600,) * 2)


def said(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    capsys.readouterr()
    assert main(["cache", *words]) == 0
    return " ".join(capsys.readouterr().out.split())


def test_the_listing_names_kernels_by_version_flavour_and_series(
    tree: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    patch = tree.parent / "a.patch"
    patch.write_bytes(MAIL + SLOTS_PATCH)
    kernel = build(tree, "--series", str(patch))
    park(kernel)
    fail(cache, kernel)

    text = said(capsys)

    assert "of at most 8.0 GiB (HARNESS_CACHE_SIZE)" in text
    assert "│ 6.12.0-tiny │ plain │ swiotlb: make the pool small │" in text
    assert "│ 1 │ 208 KiB │ 1 │" in text
    assert kernel.name[:12] in text


def test_the_listing_for_programs_has_the_same(tree: Path, tmp_path: Path) -> None:
    kernel, file = build(tree), tmp_path / "cache.json"
    park(kernel)

    assert main(["cache", "--json", str(file)]) == 0

    listed = json.loads(file.read_text())
    (only,) = listed["kernels"]
    assert (only["key"], only["release"]) == (kernel.name, "6.12.0-tiny")
    assert only["sizes"]["parked"] > 200_000
    assert listed["size"] == sum(one["size"] for one in listed["kinds"].values())
    assert listed["budget"] == 8 << 30


def test_parked_guests_of_a_kernel_that_is_gone_are_listed(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel = build(tree)
    park(kernel)
    Cache("kernels").remove(kernel.name)

    assert "(removed)" in said(capsys)


def test_an_empty_cache_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys).startswith("0 KiB of at most 8.0 GiB")


def test_prune_by_age_0_leaves_no_kernel_and_no_tree(tree: Path) -> None:
    build(tree)

    assert main(["cache", "prune", "--older-than", "0"]) == 0

    trees = [path for path in workspaces().iterdir() if path.is_dir()]
    assert (kernels(), trees) == ([], [])


def test_prune_leaves_what_is_within_the_budget(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel = build(tree)

    assert said(capsys, "prune") == "removed 0 KiB"
    assert kernel.is_dir()


def test_prune_by_age_removes_what_was_not_used_for_long(tree: Path) -> None:
    kernel = build(tree)
    parked = park(kernel)
    ago(kernel, days=31)

    main(["cache", "prune", "--older-than", "30"])

    assert (kernel.is_dir(), parked.is_dir()) == (False, True)


def test_prune_to_a_size_names_what_it_removes(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel = build(tree)
    parked = park(kernel)

    planned = said(capsys, "prune", "--to", "0", "--dry-run")
    assert f"would remove parked/{kernel.name}, 208 KiB, of 6.12.0-tiny" in planned
    assert parked.is_dir()

    assert f"removed parked/{kernel.name}, 208 KiB" in said(capsys, "prune", "--to", "0")
    assert not parked.exists()


def test_prune_keeps_a_workspace_that_is_in_use(tree: Path) -> None:
    build(tree)
    (name,) = (path.name for path in workspaces().iterdir() if path.is_dir())
    with open_workspace(name) as workspace:
        main(["cache", "prune", "--to", "0", "--older-than", "0"])
        assert workspace.tree.source.is_dir()


def test_a_wrong_size_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "prune", "--to", "much"]) == 2
    assert "--to=much: expected a size such as 4G" in capsys.readouterr().err
