# SPDX-License-Identifier: Apache-2.0
"""The probe is compiled once for all kernels that give it the same input, and anew for others."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.kernel.build import probe
from harness.kernel.build.probe import PARTS, PROBE, build_probe
from harness.kernel.source.workspace import Workspace

HEADER, GENERATED = "../src/include/linux/swiotlb.h", "include/generated/utsrelease.h"

RECORD = f"""\
savedcmd_probe.o := ccache gcc -I../src/include -include ../src/include/linux/swiotlb.h -c probe.c
deps_probe.o := \\
  {HEADER} \\
    $(wildcard include/config/SWIOTLB) \\
  {GENERATED} \\
  ../guest/probe/probe.h \\
"""


@dataclass
class FakeMake:
    """Makes a module of what it is told; counts how often."""

    output: Path
    runs: list[str] = field(default_factory=list)

    def run(self, *words: str) -> None:
        """Compile the probe in the folder that M= names."""
        folder = Path(words[0].removeprefix("M="))
        self.runs.append(folder.name)
        (folder / ".probe.o.cmd").write_text(RECORD)
        (folder / PROBE).write_text(f"probe {len(self.runs)}")


@pytest.fixture(autouse=True)
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(probe, "CHECKOUT", tmp_path)
    for name in ("probe.c", "probe.h"):
        write(tmp_path / "guest/probe" / name, "one")
    return tmp_path


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace", 0)


@pytest.fixture
def make(workspace: Workspace) -> FakeMake:
    output = workspace.directory / "build-1"
    for name in (*PARTS, HEADER, GENERATED):
        write((output / name).resolve(), "one")
    return FakeMake(output)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_probe_of_the_kernel_before_is_taken(workspace: Workspace, make: FakeMake) -> None:
    first = build_probe(workspace, make).read_text()
    shutil.rmtree(workspace.directory / "guest")  # the copy of another checkout may be there
    assert (build_probe(workspace, make).read_text(), make.runs) == (first, ["probe"])


@pytest.mark.parametrize("name", [*PARTS, HEADER, GENERATED])
def test_changed_input_makes_another_probe(workspace: Workspace, make: FakeMake, name: str) -> None:
    build_probe(workspace, make)
    write((make.output / name).resolve(), "two")
    assert build_probe(workspace, make).read_text() == "probe 2"


@pytest.mark.parametrize("name", ["probe.c", "probe.h", "new.c"])
def test_changed_source_makes_another_probe(
    workspace: Workspace, make: FakeMake, checkout: Path, name: str
) -> None:
    build_probe(workspace, make)
    write(checkout / "guest/probe" / name, "two")
    assert build_probe(workspace, make).read_text() == "probe 2"


def test_removed_header_makes_another_probe(workspace: Workspace, make: FakeMake) -> None:
    build_probe(workspace, make)
    (make.output / HEADER).resolve().unlink()
    assert build_probe(workspace, make).read_text() == "probe 2"


def test_probe_of_an_earlier_kernel_is_taken(workspace: Workspace, make: FakeMake) -> None:
    build_probe(workspace, make)
    write((make.output / HEADER).resolve(), "two")
    build_probe(workspace, make)
    write((make.output / HEADER).resolve(), "one")
    assert build_probe(workspace, make).read_text() == "probe 1"


@pytest.mark.parametrize("name", PARTS)
def test_probe_for_a_build_that_lacks_a_part_is_always_compiled(
    workspace: Workspace, make: FakeMake, name: str
) -> None:
    build_probe(workspace, make)
    (make.output / name).unlink()
    assert [build_probe(workspace, make).read_text() for _ in range(2)] == ["probe 2", "probe 3"]
