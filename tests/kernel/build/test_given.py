# SPDX-License-Identifier: Apache-2.0
"""A kernel that is built already: taken by its content, never written to, refused with a reason."""

import gzip
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from kernel_builds import (
    CROSS,
    RELEASE,
    add_line,
    copied,
    given,
    link_kernel,
    remove,
    spec_of,
    tiny_build,
)

from harness.base.cache.inventory import take_inventory
from harness.base.cache.layout import KERNEL_RECORD
from harness.base.cache.usage import Usage
from harness.base.errors import InputError, SourceError
from harness.kernel import build_kernel
from harness.kernel.build.build import find_kernel
from harness.kernel.build.given import (
    find_build,
)

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return tiny_build(tmp_path / "build")


def refusal(build: Path) -> str:
    """Why no kernel is taken from *build*."""
    with pytest.raises(InputError) as refused:
        build_kernel(spec_of(build))
    assert take_inventory(Usage()).of("kernels") == []
    return str(refused.value)


def test_a_build_is_taken_as_it_is(build: Path) -> None:
    kernel = build_kernel(spec_of(build))

    assert (kernel.release, kernel.source, kernel.compiler) == (RELEASE, f"build {build}", "gcc 12")
    assert kernel.image.read_bytes() == (build / "arch/arm64/boot/Image").read_bytes()
    assert kernel.vmlinux.read_bytes() == (build / "vmlinux").read_bytes()
    assert kernel.config.read_text() == (build / ".config").read_text()


def test_the_same_build_in_another_place_is_the_same_kernel(build: Path, tmp_path: Path) -> None:
    other = copied(build, tmp_path / "other")

    assert build_kernel(spec_of(other)).key == build_kernel(spec_of(build)).key


def test_a_build_with_a_compressed_image_is_the_same_kernel(build: Path) -> None:
    before = find_kernel(spec_of(build)).key
    image = build / "arch/arm64/boot/Image"
    content = image.read_bytes()
    (build / "Image.gz").write_bytes(gzip.compress(content))
    image.unlink()

    kernel = build_kernel(spec_of(build))

    assert (kernel.key, kernel.image.read_bytes()) == (before, content)


def test_modules_of_a_build_are_kept_without_debugging_information(build: Path) -> None:
    assert build_kernel(spec_of(build)).modules is None
    before = find_kernel(spec_of(build)).key
    for folder in ("drivers/block", "sound/core"):
        (build / folder).mkdir(parents=True)
        options = ("-g", "-c", "-x", "c", "-", "-o", build / folder / "m.ko")
        subprocess.run([f"{CROSS}gcc", *options], input=b"int m(void) { return 1; }", check=True)
    (build / "modules.order").write_text("drivers/block/m.o\nsound/core/m.o\nfs/never_built.o\n")

    kernel = build_kernel(spec_of(build))

    assert kernel.modules is not None
    kept = [path for path in kernel.modules.rglob("*") if path.is_file()]
    assert kept == [kernel.modules / "kernel/drivers/block/m.ko"]
    assert b".debug_info" in (build / "drivers/block/m.ko").read_bytes()
    assert b".debug_info" not in kept[0].read_bytes()
    assert kernel.key != before


@pytest.mark.parametrize("types", [True, False])
def test_a_build_knows_whether_it_has_types(build: Path, types: bool) -> None:
    before = build_kernel(spec_of(build))
    if not types:
        subprocess.run([f"{CROSS}strip", "--strip-debug", build / "vmlinux"], check=True)

    assert build_kernel(spec_of(build)).types is types
    assert (find_kernel(spec_of(build)).key == before.key) is types


def reconfigured(build: Path) -> None:
    for name in (".config", "include/config/auto.conf"):
        add_line(build, name, "CONFIG_KCSAN=y\n")


@pytest.mark.parametrize(
    "change",
    [
        reconfigured,
        lambda build: add_line(build, "Module.symvers", "0x1\tf\tdrivers/f\tEXPORT_SYMBOL\t\n"),
        lambda build: link_kernel(build, text="int more;"),
    ],
    ids=["config", "symvers", "code"],
)
def test_another_content_is_another_kernel(build: Path, change: Callable[[Path], None]) -> None:
    before = find_kernel(spec_of(build)).key
    change(build)

    assert find_kernel(spec_of(build)).key != before


def foreign(build: Path) -> None:
    link = ("-shared", "-nostdlib", "-x", "c", "/dev/null", "-o", build / "vmlinux")
    subprocess.run(["gcc", *link], check=True)


def for_another_processor(build: Path) -> None:
    """As make leaves it for x86."""
    foreign(build)
    (build / "arch/arm64/boot/Image").unlink()


def another_vmlinux(build: Path) -> None:
    image = (build / "arch/arm64/boot/Image").read_bytes()
    link_kernel(build, text="int more;")
    (build / "arch/arm64/boot/Image").write_bytes(image)


def no_image(build: Path) -> None:
    (build / "arch/arm64/boot/Image").write_bytes(bytes(100))


def truncated(name: str) -> Callable[[Path], None]:
    return lambda build: os.truncate(build / name, (build / name).stat().st_size - 100)


def compressed_and_truncated(build: Path) -> None:
    image = build / "arch/arm64/boot/Image"
    (build / "Image.gz").write_bytes(gzip.compress(image.read_bytes())[:-20])
    image.unlink()


def for_a_future_processor(build: Path) -> None:
    content = bytearray((build / "vmlinux").read_bytes())
    content[18:20] = (999).to_bytes(2, "little")
    (build / "vmlinux").write_bytes(content)


def in_place_of_the_directory(build: Path) -> None:
    shutil.rmtree(build)
    build.write_text("")


BROKEN = {
    "no directory": (lambda build: build.rename(build.with_name("moved")), "no such directory"),
    "no image": (remove("arch/arm64/boot/Image"), "it has no arch/arm64/boot/Image. Run 'make"),
    "no vmlinux": (remove("vmlinux"), "it has no vmlinux. Run 'make"),
    "no config": (remove(".config"), "it has no .config. Run 'make"),
    "no ELF": (lambda build: (build / "vmlinux").write_text("?"), "vmlinux is not an ELF file"),
    "truncated vmlinux": (truncated("vmlinux"), "vmlinux is damaged: "),
    "truncated image": (truncated("arch/arm64/boot/Image"), "Image is truncated, or not of"),
    "truncated compressed image": (compressed_and_truncated, "Image.gz is truncated."),
    "other processor yet": (for_a_future_processor, "vmlinux is a kernel for 999"),
    "file": (in_place_of_the_directory, "it is a file"),
    "other processor": (for_another_processor, "vmlinux is a kernel for X86_64"),
    "vmlinux for another processor": (foreign, "vmlinux is a kernel for X86_64"),
    "no build id": (
        lambda build: link_kernel(build, "-Wl,--build-id=none"),
        "vmlinux has no build id",
    ),
    "other build": (another_vmlinux, "are not of the same build: vmlinux has build id "),
    "other image": (no_image, "Image is not an arm64 image"),
    "edited config": (
        lambda build: add_line(build, ".config", "CONFIG_KCSAN=y\n"),
        ".config was changed after the kernel was built: CONFIG_KCSAN. Run 'make",
    ),
    "other release": (
        lambda build: link_kernel(build, release="6.1.0"),
        f"are of Linux {RELEASE}, ",
    ),
    "entry of the cache": (
        lambda build: (build / KERNEL_RECORD).write_text("{}"),
        "'harness kernel build SOURCE --output=DIR' writes",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_build_that_is_none_is_refused_before_anything_is_built(build: Path, fault: str) -> None:
    spoil, said = BROKEN[fault]
    spoil(build)

    assert said in refusal(build)


@pytest.mark.parametrize("change", ["series", "flavour", "fragments"])
def test_nothing_can_be_added_to_a_build(build: Path, change: str) -> None:
    value = "kasan" if change == "flavour" else (Path("a.patch"),)

    with pytest.raises(InputError, match=r"is built already: .* cannot be"):
        build_kernel(spec_of(build, **{change: value}))


def test_a_build_that_changes_while_it_is_copied_is_not_kept(
    build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def copy(source: Path, target: Path) -> None:
        target.write_bytes(source.read_bytes())
        link_kernel(build, text="int more;")

    monkeypatch.setattr("harness.kernel.build.given.shutil.copyfile", copy)

    with pytest.raises(SourceError, match="changed while it was copied"):
        build_kernel(spec_of(build))
    assert take_inventory(Usage()).of("kernels") == []


def test_a_release_that_is_not_utf_8_is_refused(build: Path) -> None:
    (build / "include/config/kernel.release").write_bytes(b"\xff")

    with pytest.raises(InputError, match="are of Linux"):
        find_build(spec_of(build))


def test_a_directory_whose_name_is_not_utf_8_is_refused(build: Path) -> None:
    other = build.with_name(os.fsdecode(b"caf\xe9"))
    build.rename(other)

    with pytest.raises(InputError, match="its name is not UTF-8"):
        find_build(spec_of(other))


def test_modules_outside_the_build_are_left_out(build: Path) -> None:
    (build.parent / "stray.ko").write_text("")
    (build / "modules.order").write_text(f"../stray.o\n{build.parent}/stray.o\n")

    assert given(build).modules == ()


def test_a_damaged_module_is_refused(build: Path) -> None:
    (build / "fs").mkdir()
    (build / "fs/m.ko").write_text("?")
    (build / "modules.order").write_text("fs/m.o\n")

    with pytest.raises(InputError, match=r"a module of build:.* is damaged"):
        build_kernel(spec_of(build))
