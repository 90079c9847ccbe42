# SPDX-License-Identifier: Apache-2.0
"""Checks of a kernel that is built already: its parts are there, and belong together.

Each raises InputError, which says what was found and what to do.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from elftools.elf.elffile import ELFFile

from harness.base.cache.layout import KERNEL_RECORD
from harness.base.errors import InputError
from harness.kernel.build.image import IMAGES
from harness.kernel.build.kbuild_files import (
    BUILT_CONFIG,
    EXPORTS,
    GENERATED_HEADERS,
    RELEASE,
    VMLINUX,
    WANTED_CONFIG,
)
from harness.kernel.build.kconfig import read_config
from harness.kernel.elf import build_id as find_build_id
from harness.kernel.elf import open_elf
from harness.kernel.spec import KernelSpec

NEEDED = (VMLINUX, WANTED_CONFIG, EXPORTS, BUILT_CONFIG, RELEASE, GENERATED_HEADERS)
"""Beside the image."""

AARCH64 = "EM_AARCH64"

GNU_NOTE = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0"
"""The head of the note with a build id of SHA-1: sizes of name and value, type (ELF gABI)."""

SHA1_SIZE = 20

SHOWN = 3
"""Options or symbols that an error names."""

_BANNER = re.compile(rb"Linux version (\S+) \(")
_INCLUDED = re.compile(r"^include (/\S+)/Makefile$", re.MULTILINE)


def check_unchanged(spec: KernelSpec) -> None:
    """Refuse what only a build from source can do."""
    asked = {
        "a series cannot be applied to it": spec.series,
        "a flavour cannot be added to it": spec.flavour,
        "a configuration fragment cannot be added to it": spec.extra_fragments,
    }
    for refusal, value in asked.items():
        if value:
            raise InputError(
                f"{spec.source} is a kernel that is built already: {refusal}. Name its source "
                "with --kernel instead."
            )


def complete(directory: Path) -> Path:
    """Return the image of a build that has all its parts; InputError names those it lacks."""
    if not directory.is_dir():
        raise InputError(
            f"build:{directory} is no kernel build: no such directory. Expected the directory in "
            "which 'make ARCH=arm64 Image modules' built a kernel."
        )
    if (directory / KERNEL_RECORD).is_file():
        raise InputError(
            f"build:{directory} is an entry of the harness's cache, which has no tree to build a "
            "module against. 'harness kernel build SOURCE --output=DIR' writes a build that can be "
            "given."
        )
    check_processor(directory / VMLINUX)
    image = next((directory / name for name in IMAGES if (directory / name).is_file()), None)
    missing = [name for name in NEEDED if not (directory / name).exists()]
    missing += [] if image else [IMAGES[0]]
    if missing or image is None:
        raise InputError(
            f"build:{directory} is not a complete kernel build: it has no {', '.join(missing)}. "
            "Run 'make ARCH=arm64 Image modules' there; or give a source tree as "
            "--kernel=DIR, and the harness builds it."
        )
    return image


def source_of(directory: Path) -> Path:
    """The source tree that *directory* was built from; InputError if it is not there."""
    link, makefile = directory / "source", directory / "Makefile"
    source = directory
    if link.is_symlink():
        source = directory / link.readlink()
    elif makefile.is_file() and (found := _INCLUDED.search(makefile.read_text()[:1000])):
        source = Path(found[1])
    for name in ("Makefile", "include/linux/module.h", "scripts/Makefile.build"):
        if not (source / name).is_file():
            raise InputError(
                f"build:{directory} was built from the source tree {source}, which has no {name}. "
                "Modules are built against that tree: put it back, or build the kernel again."
            )
    return source


def check_processor(vmlinux: Path) -> None:
    """Check, if *vmlinux* is there, that it is for arm64: the parts of other builds differ."""
    if not vmlinux.is_file():
        return
    with open_elf(vmlinux) as elf:
        if (machine := elf["e_machine"]) != AARCH64:
            raise InputError(
                f"{vmlinux} is a kernel for {machine.removeprefix('EM_')}. The harness tests arm64 "
                "kernels: build it with ARCH=arm64."
            )


def checked_vmlinux(directory: Path) -> tuple[bytes, bool]:
    """Check vmlinux, and return its build id and whether it has DWARF."""
    vmlinux = directory / VMLINUX
    with open_elf(vmlinux) as elf:
        found = find_build_id(elf)
        if found is None:
            raise InputError(
                f"{vmlinux} has no build id, by which the harness knows that an image belongs to "
                "it. Link the kernel with --build-id, as its makefile does."
            )
        types = elf.has_dwarf_info(strict=True)
        check_exports(directory / EXPORTS, elf)
    return found.value, types


def check_image(directory: Path, image: Path, content: bytes, build_id: bytes) -> None:
    """Check that the *content* of the image is of the same build as vmlinux."""
    if build_id not in content:
        raise InputError(
            f"{image} and {directory / VMLINUX} are not of the same build: vmlinux has build id "
            f"{build_id.hex()}, the image {_build_ids(content)}. Run 'make ARCH=arm64 Image' "
            "again, or give the vmlinux that the image was made from."
        )


def _build_ids(content: bytes) -> str:
    """The build ids in an image: its own, and that of the vDSO."""
    ids = [value[:SHA1_SIZE].hex() for value in content.split(GNU_NOTE)[1:]]
    return " and ".join(ids) or "has none"


def check_exports(symvers: Path, elf: ELFFile) -> None:
    """Check that vmlinux has the symbols that Module.symvers says it exports."""
    lines = (line.split("\t") for line in symvers.read_text().splitlines())
    exported = [fields[1] for fields in lines if len(fields) > 2 and fields[2] == VMLINUX]
    section = elf.get_section_by_name(".strtab")
    names = b"" if section is None else section.data()
    known = set(names.split(b"\0"))
    # the linker keeps one name that ends as another one does
    absent = [
        name
        for name in exported
        if name.encode() not in known and name.encode() + b"\0" not in names
    ]
    if absent:
        raise InputError(
            f"{symvers} is of another build than vmlinux: {_some(absent)} "
            f"{'is' if len(absent) == 1 else 'are'} not in vmlinux. Run 'make ARCH=arm64 Image "
            "modules' again."
        )


def check_config(directory: Path, config: Mapping[str, str]) -> None:
    """Check that the kernel was built with *config* and that it can load the probe."""
    built = read_config(directory / BUILT_CONFIG)
    # strings have no quotes there, and are left out
    changed = sorted(
        symbol
        for symbol in {*config, *built}
        if config.get(symbol) != built.get(symbol) and config.get(symbol, "")[:1] != '"'
    )
    if changed:
        raise InputError(
            f"{directory / WANTED_CONFIG} was changed after the kernel was built: "
            f"{_some([f'CONFIG_{one}' for one in changed])}. Run 'make ARCH=arm64 Image modules' "
            "again."
        )
    if "MODULES" not in config:
        raise InputError(
            f"build:{directory} cannot load modules, and so not the probe, through which the tests "
            "call the DMA API. Set CONFIG_MODULES=y and build the kernel again."
        )
    if "MODULE_SIG_FORCE" in config:
        raise InputError(
            f"build:{directory} loads signed modules only, and so not the probe, through which the "
            "tests call the DMA API. Build it without CONFIG_MODULE_SIG_FORCE; CONFIG_MODULE_SIG "
            "alone is fine."
        )


def check_headers(directory: Path, image: Path, content: bytes, release: str) -> None:
    """Check that the headers are of the release that the image says it is."""
    banner = _BANNER.search(content)
    if banner and banner[1].decode() != release:
        raise InputError(
            f"the headers in {directory} are of Linux {release}, {image} is Linux "
            f"{banner[1].decode()}: a module that is built with them does not fit. Run 'make "
            "ARCH=arm64 Image modules' again."
        )


def _some(names: list[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
