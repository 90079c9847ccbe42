# SPDX-License-Identifier: Apache-2.0
"""Modules of a kernel are found by name, uncompressed, each after those that it needs."""

import gzip
import lzma
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from kernel_builds import CROSS

from harness.base.errors import InputError
from harness.kernel.build.modules import load_order, module_files

PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda content: content,
    ".xz": lzma.compress,
    ".gz": gzip.compress,
    ".zst": lambda content: (
        subprocess.run(["zstd", "-q", "-c"], input=content, capture_output=True, check=True).stdout
    ),
}


def add_module(directory: Path, name: str, depends: str = "", packed: str = "") -> Path:
    """Compile a file with the section of a module, and put it somewhere below *directory*."""
    source, built = directory / "module.c", directory / "module.o"
    directory.mkdir(parents=True, exist_ok=True)
    text = f'const char info[] __attribute__((section(".modinfo"))) = "depends={depends}";\n'
    source.write_text(text)
    subprocess.run([f"{CROSS}gcc", "-c", "-o", built, source], check=True)
    path = directory / f"kernel/drivers/{name}.ko{packed}"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(PACKERS[packed](built.read_bytes()))
    source.unlink()
    built.unlink()
    return path


def names(directory: Path, *wanted: str) -> list[str]:
    return [module.name for module in load_order(module_files(directory), wanted)]


def test_a_module_comes_after_all_that_it_needs(tmp_path: Path) -> None:
    add_module(tmp_path, "ahci", "libahci,libata")
    add_module(tmp_path, "libahci", "libata")
    add_module(tmp_path, "libata", "scsi_mod")
    add_module(tmp_path, "scsi_mod")
    add_module(tmp_path, "unrelated")

    assert names(tmp_path, "ahci", "libata") == ["scsi_mod", "libata", "libahci", "ahci"]


def test_hyphens_and_underscores_are_the_same(tmp_path: Path) -> None:
    add_module(tmp_path, "sdhci-pci", "mmc-core")
    add_module(tmp_path, "mmc_core")

    assert names(tmp_path, "sdhci_pci") == ["mmc_core", "sdhci_pci"]


@pytest.mark.parametrize("packed", PACKERS)
def test_a_compressed_module_is_uncompressed(tmp_path: Path, packed: str) -> None:
    plain = add_module(tmp_path / "plain", "nvme").read_bytes()
    add_module(tmp_path / "packed", "nvme", packed=packed)

    assert [
        module.content for module in load_order(module_files(tmp_path / "packed"), ["nvme"])
    ] == [plain]


def test_a_module_that_the_kernel_does_not_have_is_left_out(tmp_path: Path) -> None:
    add_module(tmp_path, "nvme")

    assert names(tmp_path, "e1000e", "nvme") == ["nvme"]


def test_a_dependency_that_is_not_there_is_named(tmp_path: Path) -> None:
    add_module(tmp_path, "nvme", "nvme-core")

    with pytest.raises(InputError, match=r"nvme needs the module nvme-core, which is not"):
        load_order(module_files(tmp_path), ["nvme"])


@pytest.mark.parametrize("packed", [".xz", ".gz", ".zst"])
def test_a_damaged_module_is_named(tmp_path: Path, packed: str) -> None:
    path = add_module(tmp_path, "nvme", packed=packed)
    path.write_bytes(path.read_bytes()[:100])

    with pytest.raises(InputError, match=rf"(?s)nvme\.ko{packed} is damaged: .* Get it again\."):
        load_order(module_files(tmp_path), ["nvme"])


def test_a_file_that_is_no_module_is_named(tmp_path: Path) -> None:
    path = add_module(tmp_path, "nvme")
    path.write_bytes(b"<html>")

    with pytest.raises(InputError, match=r"nvme\.ko is not a kernel module"):
        load_order(module_files(tmp_path), ["nvme"])
