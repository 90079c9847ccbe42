# SPDX-License-Identifier: Apache-2.0
"""A spec becomes a kernel: built once, rebuilt only as far as it must, refused with a reason."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from kernel_trees import FIREWALL_PATCH, MAKEFILE, SLOTS_PATCH, tiny_tree
from python_process import PATIENCE

from harness.base.cache import Cache
from harness.base.cache.layout import KERNEL_RECORD
from harness.base.errors import BuildError, ConfigError, HostError, SeriesError, SourceError
from harness.kernel import KernelSpec, build_kernel, load_kernel
from harness.kernel.build.build import plan_of, read_build_id
from harness.kernel.source.workspace import open_workspace, workspaces

pytestmark = pytest.mark.usefixtures("cache")

FIREWALL = "CONFIG_FIREWALL=y\n"

BUILD = """
import sys
from pathlib import Path
from harness.kernel import KernelSpec, build_kernel
source, fragment, ended = sys.argv[1:]
try:
    build_kernel(KernelSpec(source, (), (Path(fragment),)))
finally:
    Path(ended).write_text("too early")
"""
"""Builds a kernel in a process of its own, which is to be killed before it can say the last."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tiny_tree(tmp_path / "tree")


def spec_of(tree: Path, *patches: bytes, options: str = "CONFIG_PCI=y\n") -> KernelSpec:
    fragment = tree.parent / "fragment.config"
    fragment.write_text(options)
    series = []
    for number, patch in enumerate(patches, 1):
        path = tree.parent / f"{number}.patch"
        path.write_bytes(patch)
        series.append(path)
    return KernelSpec(str(tree), tuple(series), (fragment,))


def compiled() -> list[str]:
    """Return the objects that the last build compiled."""
    (log,) = workspaces().glob("*/build-*/harness-build.log")
    return [line.split()[1] for line in log.read_text().splitlines() if line.startswith("  CC")]


def test_kernel_of_an_older_harness_is_read(tree: Path) -> None:
    kernel = build_kernel(spec_of(tree))
    record = kernel.directory / KERNEL_RECORD
    old = json.loads(record.read_text())
    record.write_text(json.dumps({name: old[name] for name in list(old)[:5]}))

    read = load_kernel(kernel.directory)

    assert read == replace(kernel, titles=(), flavour="", fragments=(), seconds=0.0)


def test_kernel_of_a_newer_harness_is_read(tree: Path) -> None:
    kernel = build_kernel(spec_of(tree))
    record = kernel.directory / KERNEL_RECORD
    record.write_text(json.dumps({**json.loads(record.read_text()), "colour": "blue"}))

    assert load_kernel(kernel.directory) == kernel


def test_kernel_knows_where_it_came_from(tree: Path) -> None:
    kernel = build_kernel(spec_of(tree, SLOTS_PATCH))
    assert (kernel.release, kernel.source, kernel.series) == (
        "6.12.0-tiny",
        f"directory {tree}",
        ("1.patch",),
    )


def test_kernel_has_all_its_files(tree: Path) -> None:
    kernel = build_kernel(spec_of(tree))
    assert all(path.is_file() for path in (kernel.image, kernel.vmlinux, kernel.config))


def test_build_id_is_that_of_vmlinux(tree: Path) -> None:
    kernel = build_kernel(spec_of(tree))
    notes = subprocess.run(
        ["readelf", "--notes", kernel.vmlinux], check=True, capture_output=True, text=True
    )
    assert f"Build ID: {kernel.build_id}" in notes.stdout


def test_file_without_a_build_id_is_refused(tmp_path: Path) -> None:
    subprocess.run(
        ["aarch64-linux-gnu-gcc", "-x", "c", "-c", "-o", tmp_path / "x.o", "/dev/null"], check=True
    )
    with pytest.raises(BuildError, match="has no build id"):
        read_build_id(tmp_path / "x.o")


def test_stored_kernel_is_read_back_whole(tree: Path) -> None:
    kernel = build_kernel(spec_of(tree, SLOTS_PATCH))
    assert load_kernel(kernel.directory) == kernel


def test_same_spec_is_not_built_again(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = build_kernel(spec_of(tree))
    monkeypatch.setattr("harness.kernel.build.build.built_tree", None)
    assert build_kernel(spec_of(tree)) == first


def test_users_directory_is_not_written_to(tree: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in tree.rglob("*")}
    build_kernel(spec_of(tree, SLOTS_PATCH))
    assert {path: path.stat().st_mtime_ns for path in tree.rglob("*")} == before


@pytest.mark.parametrize("part", ["source", "series", "options"])
def test_every_input_makes_another_kernel(tree: Path, part: str) -> None:
    before = build_kernel(spec_of(tree)).key
    if part == "source":
        (tree / "README").write_text("other")
    patches = [SLOTS_PATCH] if part == "series" else []
    options = "CONFIG_FIREWALL=y\n" if part == "options" else "CONFIG_PCI=y\n"
    assert build_kernel(spec_of(tree, *patches, options=options)).key != before


def test_name_of_a_patch_does_not_make_another_kernel(tree: Path) -> None:
    before = build_kernel(spec_of(tree, SLOTS_PATCH)).key
    renamed = tree.parent / "renamed.patch"
    renamed.write_bytes(SLOTS_PATCH)
    spec = spec_of(tree)
    assert build_kernel(KernelSpec(spec.source, (renamed,), spec.fragments)).key == before


def test_patch_rebuilds_only_what_it_touches(tree: Path) -> None:
    build_kernel(spec_of(tree))
    build_kernel(spec_of(tree, SLOTS_PATCH))
    assert compiled() == ["kernel/dma/swiotlb.o"]


def test_dropped_patch_rebuilds_only_what_it_touched(tree: Path) -> None:
    build_kernel(spec_of(tree, SLOTS_PATCH))
    build_kernel(spec_of(tree))
    assert compiled() == ["kernel/dma/swiotlb.o"]


def test_edited_file_rebuilds_only_itself(tree: Path) -> None:
    build_kernel(spec_of(tree))
    (tree / "kernel/fork.c").write_text("int children = 1;\n")
    build_kernel(spec_of(tree))
    assert compiled() == ["kernel/fork.o"]


def configured(tree: Path, *patches: bytes) -> int:
    """Build the kernel of *tree*, and return when its configuration was written."""
    build_kernel(spec_of(tree, *patches))
    (config,) = workspaces().glob("*/build-*/.config")
    return config.stat().st_mtime_ns


def test_edited_c_file_does_not_configure_again(tree: Path) -> None:
    before = configured(tree)
    (tree / "kernel/fork.c").write_text("int children = 1;\n")
    assert configured(tree) == before


@pytest.mark.parametrize("name", ["Kconfig", "Kconfig.known", "scripts/version.h", "New.mk"])
def test_edited_file_that_may_decide_options_configures_again(tree: Path, name: str) -> None:
    before = configured(tree)
    (tree / name).parent.mkdir(exist_ok=True)
    with (tree / name).open("a") as file:
        file.write("\n")
    assert configured(tree) > before


def test_source_is_not_read_again_for_the_guest_programs(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = spec_of(tree)
    kernel = build_kernel(spec)
    monkeypatch.setattr("harness.kernel.build.build.resolve_source", None)
    assert plan_of(kernel, spec).key == kernel.key


def test_tree_that_changed_since_another_kernel_was_built_makes_no_guest_programs(
    tree: Path,
) -> None:
    spec = spec_of(tree)
    kernel = build_kernel(spec)
    (tree / "kernel/fork.c").write_text("int children = 1;\n")
    build_kernel(spec)
    with pytest.raises(SourceError, match=f"of kernel {kernel.key} has changed"):
        plan_of(kernel, spec)


def test_damaged_entry_is_restored(tree: Path) -> None:
    kernel = build_kernel(spec_of(tree))
    good = kernel.image.read_bytes()
    kernel.image.write_bytes(good[:-1] + b"!")
    assert build_kernel(spec_of(tree)).image.read_bytes() == good


def test_patch_that_does_not_apply_leaves_the_tree_usable(tree: Path) -> None:
    with pytest.raises(SeriesError, match=r"1\.patch"):
        build_kernel(spec_of(tree, SLOTS_PATCH.replace(b"128", b"129")))
    assert build_kernel(spec_of(tree)).series == ()


def test_compile_error_is_shown_with_the_log(tree: Path) -> None:
    (tree / "kernel/fork.c").write_text("int children = slots;\n")
    with pytest.raises(BuildError, match=r"fork\.c:1:16: error: .slots. undecl[\S\s]*\.log\.$"):
        build_kernel(spec_of(tree))


def test_warnings_of_a_build_are_kept_with_the_kernel(tree: Path) -> None:
    warn = SLOTS_PATCH.replace(b"+int slots = 64;", b"+int slots = 0x1ffffffff;")

    kernel = build_kernel(spec_of(tree, warn))

    (warning,) = load_kernel(kernel.directory).warnings
    assert warning.startswith("kernel/dma/swiotlb.c:1:13: warning: overflow")
    assert build_kernel(spec_of(tree)).warnings == ()


def test_build_is_possible_after_a_compile_error(tree: Path) -> None:
    bad = SLOTS_PATCH.replace(b"= 64", b"= nothing")
    with pytest.raises(BuildError):
        build_kernel(spec_of(tree, bad))
    assert build_kernel(spec_of(tree, SLOTS_PATCH)).image.is_file()


def test_missing_option_is_named(tree: Path) -> None:
    with pytest.raises(ConfigError, match=r"CONFIG_NOSUCH=y \(.*fragment\.config:1\): this source"):
        build_kernel(spec_of(tree, options="CONFIG_NOSUCH=y\n"))


def test_series_that_lost_an_option_does_not_decide_how_the_next_is_configured(tree: Path) -> None:
    build_kernel(spec_of(tree, options=FIREWALL))
    with pytest.raises(ConfigError, match="CONFIG_FIREWALL=y"):
        build_kernel(spec_of(tree, FIREWALL_PATCH, options=FIREWALL))

    kernel = build_kernel(spec_of(tree, SLOTS_PATCH, options=FIREWALL))

    assert kernel.config.read_text() == FIREWALL


def test_option_that_a_makefile_takes_away_is_missed_in_what_was_built(tree: Path) -> None:
    losing = MAKEFILE.replace("@cp $< $@", "@touch $@")
    (tree / "Makefile").write_text(losing)

    with pytest.raises(ConfigError, match="CONFIG_FIREWALL=y"):
        build_kernel(spec_of(tree, options=FIREWALL))


@pytest.mark.parametrize("path", ["defaults", "scripts/probe.c"])
def test_any_file_that_kconfig_may_read_configures_again(tree: Path, path: str) -> None:
    (tree / "Makefile").write_text(MAKEFILE.replace("-f Kconfig.known", f"-f {path}"))
    patch = f"--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+CONFIG_NUMBER=3\n".encode()
    spec = spec_of(tree, patch, options="CONFIG_NUMBER=3\n")
    assert build_kernel(spec).config.read_text() == "CONFIG_NUMBER=3\n"

    with pytest.raises(ConfigError, match="CONFIG_NUMBER=3"):
        build_kernel(replace(spec, series=()))


def test_cached_kernel_without_a_wanted_option_is_built_again(tree: Path) -> None:
    spec = spec_of(tree, options=FIREWALL)
    kernel = build_kernel(spec)
    parts = (kernel.image, kernel.vmlinux, kernel.directory / KERNEL_RECORD)
    files = {file.name: file.read_bytes() for file in parts}
    Cache("kernels").remove(kernel.key)
    Cache("kernels").get(kernel.key, partial(_write, {**files, "config": b"CONFIG_PCI=y\n"}))

    assert build_kernel(spec).config.read_text() == FIREWALL


def _write(files: Mapping[str, bytes], directory: Path) -> None:
    for name, content in files.items():
        (directory / name).write_bytes(content)


def test_missing_tool_is_named_with_its_package(
    tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "apt-get").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(HostError, match="sudo apt-get install gcc-aarch64-linux-gnu"):
        build_kernel(spec_of(tree))


def test_full_disk_is_noticed_before_building(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.kernel.build.build.BUILD_SIZE", 1 << 60)
    with pytest.raises(HostError, match="building a kernel needs"):
        build_kernel(spec_of(tree))


def test_killed_build_ends_its_compilers_and_is_done_again(tree: Path) -> None:
    started = tree.parent / "cache/ccache/started"  # where makefiles may write
    started.parent.mkdir(parents=True)
    os.mkfifo(started)
    block = f"\t@echo compiling > {started}; exec sleep 1000\n"
    (tree / "Makefile").write_text(MAKEFILE.replace("\t@$(CC)", f"{block}\t@$(CC)", 1))
    spec = spec_of(tree)
    argv = [sys.executable, "-c", BUILD, spec.source, *map(str, spec.fragments), str(started)]
    with os.fdopen(os.open(started, os.O_RDONLY | os.O_NONBLOCK)) as said:
        run = subprocess.Popen(argv)
        assert select.select([said], [], [], PATIENCE)[0], "no compiler was started"
        assert set(said.readline().split()) == {"compiling"}  # make may start two at once
    run.send_signal(signal.SIGKILL)
    run.wait()
    (name,) = (path.name for path in workspaces().iterdir() if path.is_dir())
    with open_workspace(name):  # waits until no process of the killed run holds the lock
        (tree / "Makefile").write_text(MAKEFILE)
    assert build_kernel(spec_of(tree)).image.is_file()


def test_every_process_of_a_build_holds_the_workspace(tree: Path) -> None:
    show = "modules:\n\t-@readlink /proc/$$$$/fd/*\n"
    (tree / "Makefile").write_text(MAKEFILE.replace("modules:\n", show))
    build_kernel(spec_of(tree))
    (lock,) = workspaces().glob("*.lock")
    (log,) = workspaces().glob("*/build-*/harness-build.log")
    assert str(lock) in log.read_text().splitlines()


def test_objects_of_a_killed_build_are_not_trusted(tree: Path) -> None:
    kernel = build_kernel(spec_of(tree))
    (build,) = workspaces().glob("*/build-*")
    build.with_name(f"{build.name}.busy").touch()
    Cache("kernels").remove(kernel.key)
    build_kernel(spec_of(tree))
    assert sorted(compiled()) == ["kernel/dma/swiotlb.o", "kernel/fork.o"]
