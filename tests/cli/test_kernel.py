# SPDX-License-Identifier: Apache-2.0
"""``harness kernel`` for people: what it prints, and how it fails."""

from pathlib import Path

import pytest
from kernel_trees import SLOTS_PATCH, tiny_tree

from harness.cli import main

KNOWN = "CONFIG_PCI=y\n"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("harness.cli.machines.default_fragments", tuple)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return tiny_tree(tmp_path / "tree")


def build(tree: Path, *words: str) -> int:
    return main(["kernel", "build", str(tree), *words])


def test_built_kernel_is_described(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    patch, fragment = tree.parent / "a.patch", tree.parent / "f.config"
    patch.write_bytes(SLOTS_PATCH)
    fragment.write_text(KNOWN)
    assert build(tree, "--series", str(patch), "--kernel-config", str(fragment)) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert (lines["release"].strip(), lines["series"].strip()) == ("6.12.0-tiny", "a.patch")


def test_error_is_one_paragraph_and_exit_code_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kernel", "build", "/nowhere"]) == 2
    assert capsys.readouterr().err.startswith("harness: '/nowhere' is not a kernel source:")


def test_the_source_may_be_given_as_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["kernel", "build", "--kernel=/nowhere"]) == 2
    assert capsys.readouterr().err.startswith("harness: '/nowhere' is not a kernel source:")


def test_an_option_is_not_guessed_from_its_beginning(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["kernel", "build", "--kern=x"])
    assert "unrecognized arguments: --kern=x" in capsys.readouterr().err


def test_list_shows_built_kernels(tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build(tree)
    capsys.readouterr()
    assert main(["kernel", "list"]) == 0
    assert "6.12.0-tiny" in capsys.readouterr().out


def test_list_tells_kernels_of_two_series_apart(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for title, slots in (("make the pool small", b"64"), ("make the pool large", b"256")):
        mail = f"From: A <a@example.org>\nSubject: [PATCH v2 1/1] swiotlb: {title}\n\nWhy.\n---\n"
        patch = tmp_path / "0001.patch"
        patch.write_bytes(mail.encode() + SLOTS_PATCH.replace(b"64", slots))
        build(tree, "--series", str(patch))
    capsys.readouterr()

    main(["kernel", "list"])

    said = " ".join(capsys.readouterr().out.split())
    assert "swiotlb: make the pool small" in said
    assert "swiotlb: make the pool large" in said
    assert "[PATCH" not in said


def test_list_names_the_fragments_of_a_kernel(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fragment = tmp_path / "mine.config"
    fragment.write_text(KNOWN)
    build(tree, "--kernel-config", str(fragment))
    capsys.readouterr()

    main(["kernel", "list"])

    assert "mine.config" in capsys.readouterr().out


def test_a_kernel_is_written_whole_to_a_directory_of_its_own(tree: Path, tmp_path: Path) -> None:
    output = tmp_path / "output"

    assert build(tree, f"--output={output}") == 0

    assert {str(path.relative_to(output)) for path in output.rglob("*") if path.is_file()} >= {
        *("vmlinux", "arch/arm64/boot/Image", ".config", "Module.symvers"),
        *("Makefile", "include/linux/module.h", "include/config/kernel.release"),
    }


def test_a_kernel_is_not_written_over_another(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "output").mkdir()

    assert build(tree, f"--output={tmp_path}/output") == 2

    assert "output exists already. Name a directory" in capsys.readouterr().err
