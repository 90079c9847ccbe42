# SPDX-License-Identifier: Apache-2.0
"""A kernel that is built already: taken by its content, never written to, refused with a reason."""

import gzip
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from kernel_builds import CROSS, RELEASE, copied, link_kernel, tiny_build

from harness.base.cache.inventory import take_inventory
from harness.base.cache.layout import KERNEL_RECORD
from harness.base.cache.usage import Usage
from harness.base.errors import InputError, SourceError
from harness.kernel import KernelSpec, build_kernel
from harness.kernel.build.build import find_kernel
from harness.kernel.build.given import (
    GivenBuild,
    find_build,
    given_tree,
    module_parts,
    probe_inputs,
)
from harness.kernel.build.module_checks import check_fits

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def build(tmp_path: Path) -> Path:
    return tiny_build(tmp_path / "build")


def spec_of(build: Path, **more: object) -> KernelSpec:
    return KernelSpec(f"build:{build}", **more)  # type: ignore[arg-type] # fields of any type


def refusal(build: Path) -> str:
    """Why no kernel is taken from *build*."""
    with pytest.raises(InputError) as refused:
        build_kernel(spec_of(build))
    assert take_inventory(Usage()).of("kernels") == []
    return str(refused.value)


def modules_refusal(build: Path) -> str:
    """Why no module can be built for *build*, a kernel that can be taken."""
    found = find_build(spec_of(build))
    with pytest.raises(InputError) as refused:
        module_parts(found)
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


def add_line(build: Path, name: str, line: str) -> None:
    path = build / name
    path.write_text(path.read_text() + line)


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


def remove(name: str) -> Callable[[Path], None]:
    return lambda build: (build / name).unlink()


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


def forcing_signatures(build: Path) -> None:
    for name in (".config", "include/config/auto.conf"):
        add_line(build, name, "CONFIG_MODULE_SIG_FORCE=y\n")


def without_modules(build: Path) -> None:
    for name in (".config", "include/config/auto.conf"):
        path = build / name
        path.write_text(path.read_text().replace("CONFIG_MODULES=y\n", ""))


def truncated(name: str) -> Callable[[Path], None]:
    return lambda build: os.truncate(build / name, (build / name).stat().st_size - 100)


def compressed_and_truncated(build: Path) -> None:
    image = build / "arch/arm64/boot/Image"
    (build / "Image.gz").write_bytes(gzip.compress(image.read_bytes())[:-20])
    image.unlink()


def emptied(name: str) -> Callable[[Path], None]:
    return lambda build: (build / name).write_text("")


def stripped(build: Path) -> None:
    subprocess.run([f"{CROSS}strip", build / "vmlinux"], check=True)


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

WITHOUT_MODULES = {
    "no symvers": (remove("Module.symvers"), "it has no Module.symvers, with which modules"),
    "no headers": (remove("include/linux/module.h"), "which has no include/linux/module.h"),
    "empty symvers": (emptied("Module.symvers"), "Module.symvers names no symbol of vmlinux"),
    "stripped": (stripped, "vmlinux has no symbol table: it was stripped"),
    "no generated headers": (
        lambda build: shutil.rmtree(build / "arch/arm64/include/generated"),
        "it has no arch/arm64/include/generated, with which modules are built",
    ),
    "no makefile": (remove("arch/arm64/Makefile"), "which has no arch/arm64/Makefile"),
    "signed modules": (forcing_signatures, "Build it without CONFIG_MODULE_SIG_FORCE"),
    "no modules": (without_modules, "Set CONFIG_MODULES=y"),
    "other exports": (
        lambda build: add_line(build, "Module.symvers", "0x1\tgone\tvmlinux\tEXPORT_SYMBOL\t\n"),
        "is of another build than vmlinux: gone is not in vmlinux",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_build_that_is_none_is_refused_before_anything_is_built(build: Path, fault: str) -> None:
    spoil, said = BROKEN[fault]
    spoil(build)

    assert said in refusal(build)


@pytest.mark.parametrize("fault", WITHOUT_MODULES)
def test_a_build_that_no_module_can_be_built_for_is_refused_then(build: Path, fault: str) -> None:
    spoil, said = WITHOUT_MODULES[fault]
    spoil(build)

    assert said in modules_refusal(build)


@pytest.mark.parametrize("change", ["series", "flavour", "fragments"])
def test_nothing_can_be_added_to_a_build(build: Path, change: str) -> None:
    value = "kasan" if change == "flavour" else (Path("a.patch"),)

    with pytest.raises(InputError, match=r"is built already: .* cannot be"):
        build_kernel(spec_of(build, **{change: value}))


def test_a_build_outside_its_source_tree_knows_that_tree(tmp_path: Path) -> None:
    source = tmp_path / "source"
    build = tiny_build(tmp_path / "build", source)

    assert module_parts(given(build)).source == source


def test_a_build_whose_source_tree_is_gone_is_refused(tmp_path: Path) -> None:
    build = tiny_build(tmp_path / "build", tmp_path / "source")
    (tmp_path / "source").rename(tmp_path / "moved")

    assert (
        f"was built from the source tree {tmp_path}/source, which has no Makefile"
        in modules_refusal(build)
    )


def given(build: Path) -> GivenBuild:
    return find_build(spec_of(build))


@pytest.mark.parametrize("outside", [False, True])
def test_modules_are_built_in_a_copy_with_tools_of_this_machine(
    outside: bool, tmp_path: Path
) -> None:
    build = tiny_build(tmp_path / "build", tmp_path / "source" if outside else None)
    (build / "scripts/basic").mkdir(exist_ok=True)
    (build / "scripts/basic/fixdep").write_text("a program for another machine")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}

    with given_tree(given(build)) as (_, make):
        files = {
            str(path.relative_to(make.source)) for path in make.source.rglob("*") if path.is_file()
        }
        subprocess.run([make.source / "scripts/basic/fixdep"], check=True)
        subprocess.run([make.source / "scripts/mod/modpost"], check=True)

    assert files >= {
        *("Makefile", "include/linux/module.h", "include/linux/atomic/atomic-long.h"),
        *("include/generated/autoconf.h", "arch/arm64/include/generated/asm/types.h"),
        *("include/config/auto.conf", "scripts/module.lds", ".config", "Module.symvers"),
    }
    assert "include/config/SPLIT" not in files
    assert before.items() <= {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}.items()


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


@pytest.mark.parametrize(
    "name", [".config", "include/config/auto.conf", "Module.symvers", "modules.order", "Makefile"]
)
def test_text_that_is_not_utf_8_is_no_traceback(build: Path, name: str) -> None:
    with (build / name).open("ab") as file:
        file.write(b"\n# \xff\n")

    assert given(build).key
    assert module_parts(given(build)).source == build


def test_a_release_that_is_not_utf_8_is_refused(build: Path) -> None:
    (build / "include/config/kernel.release").write_bytes(b"\xff")

    with pytest.raises(InputError, match="are of Linux"):
        find_build(spec_of(build))


def test_a_directory_whose_name_is_not_utf_8_is_refused(build: Path) -> None:
    other = build.with_name(os.fsdecode(b"caf\xe9"))
    build.rename(other)

    with pytest.raises(InputError, match="its name is not UTF-8"):
        find_build(spec_of(other))


def test_what_only_modules_need_is_not_asked_of_the_kernel(build: Path) -> None:
    without_modules(build)
    (build / "Module.symvers").unlink()
    shutil.rmtree(build / "scripts")

    assert build_kernel(spec_of(build)).release == RELEASE


def test_a_probe_is_of_the_headers_that_it_was_built_with(build: Path, tmp_path: Path) -> None:
    before = probe_inputs(given(build))

    assert probe_inputs(given(copied(build, tmp_path / "other"))) == before

    for name in ("include/linux/module.h", "include/generated/utsrelease.h"):
        changed = copied(build, tmp_path / name.replace("/", "-"))
        (changed / name).write_text("#define CHANGED\n")
        assert probe_inputs(given(changed)) != before


def test_a_link_of_the_build_directory_replaces_that_of_the_source(tmp_path: Path) -> None:
    source = tmp_path / "source"
    build = tiny_build(tmp_path / "build", source)
    (build / "scripts/link").symlink_to("another")

    with given_tree(given(build)) as (_, make):
        assert (make.source / "scripts/link").readlink() == Path("another")


def test_headers_that_cannot_be_copied_are_named(build: Path) -> None:
    os.mkfifo(build / "arch/arm64/include/generated/pipe.h")

    with (
        pytest.raises(InputError, match=r"cannot be copied: .*pipe.h.* is a named pipe"),
        given_tree(given(build)),
    ):
        pass


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


def test_a_module_that_does_not_fit_the_kernel_is_refused(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("vmlinux", "probe.ko")]
    for path, text in zip(paths, ("int a;", "int a, b;"), strict=True):
        code = f"struct device {{ {text} }} one;"
        command = [f"{CROSS}gcc", "-g", "-c", "-x", "c", "-", "-o", path]
        subprocess.run(command, input=code.encode(), check=True)
    vmlinux, probe = paths

    check_fits(vmlinux, vmlinux)
    with pytest.raises(InputError, match=r"struct device has 8 bytes in a module .* and 4 in"):
        check_fits(probe, vmlinux)
