# SPDX-License-Identifier: Apache-2.0
"""A kernel that a distribution ships, ``package:NAME``: found, unpacked, and kept in the cache.

::

    package:linux-image-arm64                      of this machine's own sources
    package:trixie/linux-image-arm64-16k           of another suite of its mirror
    package:trixie/linux-image-cloud-arm64+dbg     with its debugging package

The package may be one that only depends on the newest image. In trixie-backports (7.3) an image
consists of several packages: linux-binary, linux-modules and linux-base of its release.
"""

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base.cache import Cache, digest
from harness.base.errors import InputError, SourceError
from harness.base.progress import step
from harness.base.space import GIB, require_space
from harness.kernel.build.build_checks import GNU_NOTE, SHA1_SIZE, check_unchanged
from harness.kernel.build.compiler import compiler_text
from harness.kernel.build.image import read_image
from harness.kernel.build.kconfig import read_config
from harness.kernel.build.kept_modules import KERNEL, keep_installed
from harness.kernel.source.apt import Package, PackageLists, extract_package, machine_lists
from harness.kernel.source.suites import suite_lists
from harness.kernel.spec import (
    CONFIG,
    IMAGE,
    MODULES,
    VMLINUX,
    Kernel,
    KernelRecord,
    KernelSpec,
    load_kernel,
)

FORMAT = "1"
"""Increase it when the same packages shall be unpacked differently than before."""

DEBUG = "+dbg"
"""What the name of a package ends with whose debugging package is wanted."""

SIZE = 2 * GIB
"""Bytes of an unpacked image; with its debugging package up to 4 GiB more."""

PARTS = re.compile(r"linux-(image|binary|modules|base)-\S+")
"""Packages that an image consists of, or is found by."""

IMAGE_PART = re.compile(r"linux-(image|binary)-(?!.*-dbg$)\S+")
"""The packages with an image, and those that only depend on one."""

IMAGE_PACKAGE = re.compile(r"linux-image-\d\S*")
"""The package of the image of one release."""

IMAGES = ("boot/vmlinu[zx]-*", "usr/lib/modules/*/vmlinuz", "lib/modules/*/vmlinuz")

DEBUG_VMLINUX = "./usr/lib/debug/boot/vmlinux-*"

_NO_PLAIN_KERNEL = re.compile(r"\d\.\d|dbg|unsigned|template|-di")
"""Names of packages of one release, and of what belongs to a kernel."""


@dataclass(frozen=True)
class PackagedKernel:
    """The packages of a kernel, the one that was asked for first; *debug* is that with vmlinux.

    They are found in *lists*. *spec* is what the user asked for.
    """

    name: str
    lists: PackageLists
    packages: tuple[Package, ...]
    debug: Package | None
    spec: KernelSpec

    patches = ()
    """No series can be applied to it."""

    @property
    def title(self) -> str:
        """What messages and results call it."""
        return f"package {self.name} {self.packages[0].version}"

    @property
    def image(self) -> str:
        """The name of the package of one release's image."""
        names = (one.name for one in self.packages if IMAGE_PACKAGE.fullmatch(one.name))
        return next(names, self.packages[0].name)

    @property
    def key(self) -> str:
        """The kernel's name in the cache: the packages' content."""
        every = (*self.packages, *([self.debug] if self.debug else []))
        return digest("package", FORMAT, *(one.sha256 for one in every))


def find_packages(spec: KernelSpec) -> PackagedKernel:
    """Find the packages of the kernel that *spec* names.

    Raises SourceError if there is none, InputError if *spec* asks for changes to it.
    """
    check_unchanged(spec)
    name = spec.packaged.removesuffix(DEBUG)
    suite, slash, wanted = name.rpartition("/")
    lists = suite_lists(suite) if slash else machine_lists()
    packages = tuple(closure(lists, wanted, PARTS))
    if packages and not any(IMAGE_PART.fullmatch(one.name) for one in packages):
        raise InputError(_no_image(name, packages))
    if not packages:
        raise SourceError(f"the package '{name}' {_absence(lists, suite)}")
    found = PackagedKernel(name, lists, packages, None, spec)
    if spec.packaged.endswith(DEBUG):
        debug = lists.find(f"{found.image}-dbg")
        if debug is None:
            raise SourceError(
                f"there is no debugging package {found.image}-dbg. Leave out '{DEBUG}'."
            )
        found = replace(found, debug=debug)
    return found


def packaged_kernel(spec: KernelSpec) -> Kernel:
    """Return the kernel of *spec*, a package, as a cache entry; see :func:`find_packages`."""
    found = find_packages(spec)
    entry = Cache("kernels").get(found.key, lambda directory: _fill(found, directory))
    return load_kernel(entry)


def _fill(found: PackagedKernel, directory: Path) -> None:
    require_space(directory, SIZE * (3 if found.debug else 1), f"unpacking {found.title}")
    debs = [one.fetch() for one in found.packages]
    with (
        step(f"unpacking {found.title}"),
        tempfile.TemporaryDirectory(dir=directory.parent) as scratch,
    ):
        tree = Path(scratch)
        for deb in debs:
            extract_package(deb, tree)
        image = _image_in(tree, found)
        content = read_image(image)
        (directory / IMAGE).write_bytes(content)
        release = _release_of(image)
        shutil.copyfile(_config_in(tree, release, found), directory / CONFIG)
        for folder in ("usr/lib", "lib"):
            if (tree / folder / "modules" / release / KERNEL).is_dir():
                keep_installed(tree / folder / "modules" / release, directory / MODULES)
                break
        if found.debug:
            extract_package(found.debug.fetch(), tree, DEBUG_VMLINUX)
            vmlinux = next(tree.glob(DEBUG_VMLINUX))
            vmlinux.rename(directory / VMLINUX)
    KernelRecord(
        release=release,
        build_id=_build_id(content, found),
        source=found.title,
        series=(),
        compiler=compiler_text(read_config(directory / CONFIG)),
        titles=(),
        flavour="",
        fragments=(),
        types=found.debug is not None,
    ).save(directory)


def closure(lists: PackageLists, name: str, parts: re.Pattern[str]) -> Iterator[Package]:
    """The package *name*, and those that it needs, directly or not, whose names match *parts*."""
    wanted, seen = [name], set[str]()
    while wanted:
        name = wanted.pop(0)
        if name in seen:
            continue
        seen.add(name)
        if found := lists.find(name):
            yield found
            needed = (next(filter(parts.fullmatch, names), "") for names in found.depends)
            wanted += [one for one in needed if one]


def _absence(lists: PackageLists, suite: str) -> str:
    """Why there is no package *name*, and what there is instead."""
    where = f"is not in the suite '{suite}'" if suite else "is not in this machine's sources"
    prefix = "linux-image-"
    shipped = lists.ask("apt-cache", "pkgnames", prefix).split()
    plain = sorted(one for one in shipped if not _NO_PLAIN_KERNEL.search(one))
    complaint = f" ({lists.complaint})" if lists.complaint else ""
    if plain:
        return f"{where}, for arm64{complaint}. Of the kernels it has: {', '.join(plain)}."
    return (
        f"{where}, for arm64: no kernel is there{complaint}. The suites of this machine's mirror "
        "have names such as trixie, trixie-backports or sid."
    )


def _no_image(name: str, packages: Sequence[Package]) -> str:
    """Why *packages*, found by *name*, are no kernel."""
    names = " ".join(one.name for one in packages)
    plain = name.removesuffix("-dbg")
    hint = "" if plain == name else f" With the debugging package it is {plain}{DEBUG}."
    return (
        f"package:{name} has no kernel image (packages: {names}). Name a package of one kernel, "
        f"such as linux-image-arm64.{hint}"
    )


def _image_in(tree: Path, found: PackagedKernel) -> Path:
    images = [path for pattern in IMAGES for path in tree.glob(pattern)]
    if not images:
        raise InputError(_no_image(found.name, found.packages))
    if len(images) > 1:
        names = " ".join(one.name for one in found.packages)
        raise InputError(
            f"package:{found.name} has {len(images)} kernel images (packages: {names}). Name a "
            "package of one kernel, such as linux-image-arm64."
        )
    return images[0]


def _release_of(image: Path) -> str:
    return image.parent.name if image.name == "vmlinuz" else image.name.partition("-")[2]


def _config_in(tree: Path, release: str, found: PackagedKernel) -> Path:
    places = (
        *(tree / folder / "modules" / release / "config" for folder in ("usr/lib", "lib")),
        tree / "boot" / f"config-{release}",
    )
    for path in places:
        if path.is_file():
            return path
    raise InputError(f"package:{found.name} has no configuration of Linux {release}.")


def _build_id(content: bytes, found: PackagedKernel) -> str:
    """The build id in an image: the last one, behind that of the vDSO.

    Both lie in read-only data, NOTES at its end (Linux 6.12, include/asm-generic/vmlinux.lds.h).
    """
    if GNU_NOTE not in content:
        raise InputError(f"the image of package:{found.name} has no build id.")
    return content.rpartition(GNU_NOTE)[2][:SHA1_SIZE].hex()
