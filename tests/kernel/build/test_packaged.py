# SPDX-License-Identifier: Apache-2.0
"""A kernel that a distribution ships: its packages are found, unpacked, and kept as they are."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from kernel_builds import tiny_build
from made_up_packages import Deb, Lists

from harness.base.errors import HarnessError, InputError, SourceError
from harness.kernel import KernelSpec, build_kernel
from harness.kernel.build.build import find_kernel
from harness.kernel.build.build_checks import GNU_NOTE, SHA1_SIZE
from harness.kernel.elf import build_id, open_elf

RELEASE = "6.12.9-arm64"

CONFIG = 'CONFIG_CC_VERSION_TEXT="gcc-14 14.2.0"\n'


@dataclass(frozen=True)
class Mirror:
    """Fills suites with packages: the machine's own (empty name) and others."""

    build: Path
    fill: Callable[..., None]

    @property
    def image(self) -> bytes:
        """A kernel's image."""
        return (self.build / "arch/arm64/boot/Image").read_bytes()


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Mirror:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "debs").mkdir()
    suites: dict[str, Lists] = {}

    def fill(suite: str, *debs: Deb) -> None:
        suites[suite] = Lists(tmp_path / "debs", debs)

    monkeypatch.setattr("harness.kernel.build.packaged.suite_lists", suites.__getitem__)
    monkeypatch.setattr("harness.kernel.build.packaged.machine_lists", lambda: suites[""])
    return Mirror(tiny_build(tmp_path / "build"), fill)


def image_files(mirror: Mirror, **more: bytes) -> dict[str, bytes]:
    return {
        f"boot/vmlinuz-{RELEASE}": mirror.image,
        f"boot/config-{RELEASE}": CONFIG.encode(),
        f"lib/modules/{RELEASE}/kernel/drivers/block/virtio_blk.ko": b"block",
        f"lib/modules/{RELEASE}/kernel/sound/soundcore.ko": b"noise",
        f"lib/modules/{RELEASE}/modules.order": b"",
        **more,
    }


META = Deb("linux-image-arm64", depends=((f"linux-image-{RELEASE}",),))


def one_package(mirror: Mirror) -> tuple[Deb, ...]:
    needs = (("kmod",), ("linux-base",), ("initramfs-tools", "linux-initramfs-tool"))
    return (META, Deb(f"linux-image-{RELEASE}", image_files(mirror), needs))


def spec(name: str) -> KernelSpec:
    return KernelSpec(f"package:{name}")


def test_a_package_that_only_names_the_newest_image_is_followed_to_it(mirror: Mirror) -> None:
    mirror.fill("", *one_package(mirror))

    kernel = build_kernel(spec("linux-image-arm64"))

    assert (kernel.release, kernel.types) == (RELEASE, False)
    assert kernel.source == "package linux-image-arm64 6.12.9-1"
    assert kernel.compiler == "gcc-14 14.2.0"
    assert kernel.image.read_bytes() == mirror.image
    assert kernel.config.read_text() == CONFIG


def test_the_build_id_is_that_of_the_kernel_and_not_of_the_vdso(mirror: Mirror) -> None:
    vdso = GNU_NOTE + bytes(SHA1_SIZE)
    image = mirror.image[:0x40] + vdso + mirror.image[0x40:]
    name = f"boot/vmlinuz-{RELEASE}"
    mirror.fill("", META, Deb(f"linux-image-{RELEASE}", image_files(mirror, **{name: image})))

    kernel = build_kernel(spec("linux-image-arm64"))

    with open_elf(mirror.build / "vmlinux") as elf:
        own = build_id(elf)
    assert own is not None
    assert kernel.build_id == own.value.hex()


def test_modules_are_kept_except_for_devices_that_no_guest_has(mirror: Mirror) -> None:
    mirror.fill("", *one_package(mirror))

    modules = build_kernel(spec("linux-image-arm64")).modules

    assert modules is not None
    files = {str(path.relative_to(modules)) for path in modules.rglob("*") if path.is_file()}
    assert files == {"kernel/drivers/block/virtio_blk.ko", "modules.order"}


def test_an_image_of_another_suite_may_consist_of_several_packages(mirror: Mirror) -> None:
    place = f"usr/lib/modules/{RELEASE}"
    mirror.fill(
        "trixie-backports",
        META,
        Deb(
            f"linux-image-{RELEASE}",
            depends=tuple((f"linux-{part}-{RELEASE}",) for part in ("base", "binary", "modules")),
        ),
        Deb(f"linux-base-{RELEASE}", {f"{place}/config": CONFIG.encode()}),
        Deb(f"linux-binary-{RELEASE}", {f"{place}/vmlinuz": mirror.image}),
        Deb(f"linux-modules-{RELEASE}", {f"{place}/kernel/fs/fuse.ko": b"fuse"}),
    )

    kernel = build_kernel(spec("trixie-backports/linux-image-arm64"))

    assert kernel.image.read_bytes() == mirror.image
    assert kernel.config.read_text() == CONFIG
    assert kernel.modules is not None
    assert [path.name for path in kernel.modules.iterdir()] == ["kernel"]


def test_a_debugging_package_gives_the_types(mirror: Mirror) -> None:
    vmlinux = (mirror.build / "vmlinux").read_bytes()
    debug = Deb(f"linux-image-{RELEASE}-dbg", {f"usr/lib/debug/boot/vmlinux-{RELEASE}": vmlinux})
    mirror.fill("", *one_package(mirror), debug)

    kernel = build_kernel(spec("linux-image-arm64+dbg"))

    assert kernel.types
    assert kernel.vmlinux.read_bytes() == vmlinux
    assert kernel.key != find_kernel(spec("linux-image-arm64")).key


def test_another_version_is_another_kernel(mirror: Mirror) -> None:
    mirror.fill("", *one_package(mirror))
    before = find_kernel(spec("linux-image-arm64"))
    meta, image = one_package(mirror)
    mirror.fill("", meta, Deb(**{**vars(image), "version": "6.12.10-1"}))

    assert find_kernel(spec("linux-image-arm64")).key != before.key


def refusal(name: str, kind: type[HarnessError]) -> str:
    with pytest.raises(kind) as refused:
        build_kernel(spec(name))
    return str(refused.value)


def test_a_package_that_does_not_exist_is_refused_with_those_that_do(mirror: Mirror) -> None:
    mirror.fill("", *one_package(mirror), Deb("linux-image-rt-arm64"))

    assert refusal("linux-image-x", SourceError) == (
        "the package 'linux-image-x' is not in this machine's sources, for arm64. Of the kernels "
        "it has: linux-image-arm64, linux-image-rt-arm64."
    )


def test_a_package_without_a_kernel_is_refused(mirror: Mirror) -> None:
    mirror.fill("", Deb("linux-base", {"usr/bin/x": b""}))

    assert "package:linux-base has no kernel image (packages: " in refusal("linux-base", InputError)


def test_a_debugging_package_is_refused_with_the_name_of_its_kernel(mirror: Mirror) -> None:
    debug = f"linux-image-{RELEASE}-dbg"
    mirror.fill("", Deb(debug, {"usr/lib/debug/boot/x": b""}))

    # it is found to be no kernel before it is downloaded
    with pytest.raises(InputError, match=rf"it is linux-image-{RELEASE}\+dbg\."):
        find_kernel(spec(debug))


@pytest.mark.parametrize("source", ["build:", "package:"])
def test_a_name_without_a_kernel_is_refused(source: str) -> None:
    with pytest.raises(InputError, match=f"'{source}' names no kernel"):
        KernelSpec(source)


def test_a_debugging_package_that_does_not_exist_is_refused(mirror: Mirror) -> None:
    mirror.fill("", *one_package(mirror))

    assert refusal("linux-image-arm64+dbg", SourceError) == (
        f"there is no debugging package linux-image-{RELEASE}-dbg. Leave out '+dbg'."
    )


def test_an_image_for_another_processor_is_refused(mirror: Mirror) -> None:
    files = {f"boot/vmlinuz-{RELEASE}": bytes(100), f"boot/config-{RELEASE}": b""}
    mirror.fill("", Deb("linux-image-x", files))

    assert "is not an arm64 image" in refusal("linux-image-x", InputError)


def test_nothing_can_be_added_to_a_package(mirror: Mirror) -> None:
    mirror.fill("", *one_package(mirror))

    with pytest.raises(InputError, match="is built already: a flavour cannot be added to it"):
        build_kernel(KernelSpec("package:linux-image-arm64", flavour="kasan"))
