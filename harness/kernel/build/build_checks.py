# SPDX-License-Identifier: Apache-2.0
"""Checks of a kernel that is built already: its parts are there, and belong together.

Each raises InputError, which says what was found and what to do. What only modules need is
checked by module_checks.py.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.constants import SH_FLAGS
from elftools.elf.sections import Section

from harness.base.cache.layout import KERNEL_RECORD
from harness.base.errors import InputError
from harness.kernel.build.image import IMAGES
from harness.kernel.build.kbuild_files import (
    BUILT_CONFIG,
    RELEASE,
    VMLINUX,
    WANTED_CONFIG,
)
from harness.kernel.build.kconfig import read_config
from harness.kernel.elf import build_id as find_build_id
from harness.kernel.elf import open_elf
from harness.kernel.spec import KernelSpec

NEEDED = (VMLINUX, WANTED_CONFIG, BUILT_CONFIG, RELEASE)
"""Beside the image."""

AARCH64 = "EM_AARCH64"

GNU_NOTE = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0"
"""The head of the note with a build id of SHA-1: sizes of name and value, type (ELF gABI)."""

SHA1_SIZE = 20

SHOWN = 3
"""Options or symbols that an error names."""

MAKE = "'make ARCH=arm64 Image modules'"

_BANNER = re.compile(rb"Linux version (\S+) \(")


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
                "instead, for example the directory of its tree."
            )


def complete(directory: Path) -> Path:
    """Return the image of a build that has all its parts; InputError names those it lacks."""
    check_directory(directory)
    if (directory / KERNEL_RECORD).is_file():
        raise InputError(
            f"build:{directory} is an entry of the harness's cache, which has no tree to build a "
            "module against. 'harness kernel build SOURCE --output=DIR' writes a build that can be "
            "given."
        )
    check_processor(directory / VMLINUX)
    image = next((directory / name for name in IMAGES if (directory / name).is_file()), None)
    missing = lacking(directory, NEEDED)
    missing += [] if image else [IMAGES[0]]
    if missing or image is None:
        raise InputError(
            f"build:{directory} is not a complete kernel build: it has no {', '.join(missing)}. "
            f"Run {MAKE} there; or give a source tree without 'build:' in front, and the harness "
            "builds it."
        )
    return image


def check_directory(directory: Path) -> None:
    """Check that *directory* is a readable directory with a name in UTF-8."""
    what = "no such directory"
    if directory.exists():
        what = "it is a file" if not directory.is_dir() else _unusable(directory)
    if what:
        raise InputError(
            f"build:{ascii(str(directory))[1:-1]} is no kernel build: {what}. Expected the "
            f"directory in which {MAKE} built a kernel."
        )


def _unusable(directory: Path) -> str:
    """Why an existing *directory* cannot be used; empty if it can."""
    try:
        next(directory.iterdir(), None)
        str(directory).encode()
    except PermissionError:
        return "permission denied"
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    return ""


def lacking(directory: Path, names: Sequence[str]) -> list[str]:
    """Those of *names* that *directory* does not have."""
    return [name for name in names if not (directory / name).exists()]


def check_processor(vmlinux: Path) -> None:
    """Check, if *vmlinux* is there, that it is for arm64: the parts of other builds differ."""
    if not vmlinux.is_file():
        return
    with open_elf(vmlinux) as elf:
        if (machine := elf["e_machine"]) != AARCH64:
            raise InputError(
                f"{vmlinux} is a kernel for {str(machine).removeprefix('EM_')}. The harness tests "
                "arm64 kernels: build it with ARCH=arm64."
            )


@dataclass(frozen=True)
class Vmlinux:
    """What vmlinux says of itself: whether it has *types* (DWARF), and the bytes of its image."""

    path: Path
    build_id: bytes
    types: bool
    image_size: int


def checked_vmlinux(vmlinux: Path) -> Vmlinux:
    """Read *vmlinux*; InputError if it is damaged or has no build id."""
    with open_elf(vmlinux) as elf:
        found = find_build_id(elf)
        if found is None:
            raise InputError(
                f"{vmlinux} has no build id, by which the harness knows that an image belongs to "
                "it. Link the kernel with --build-id, as its makefile does."
            )
        types = elf.has_dwarf_info(strict=True)
        placed = [one for one in elf.iter_sections() if _is_in_image(one)]
        begin = min((one["sh_addr"] for one in placed), default=0)
        end = max((one["sh_addr"] + one["sh_size"] for one in placed), default=0)
    return Vmlinux(vmlinux, found.value, types, end - begin)


def _is_in_image(section: Section) -> bool:
    """Whether ``objcopy -O binary``, which makes the image, takes the section's content."""
    content = section["sh_size"] and section["sh_type"] != "SHT_NOBITS"
    return bool(content and section["sh_flags"] & SH_FLAGS.SHF_ALLOC)


def check_image(image: Path, content: bytes, vmlinux: Vmlinux) -> None:
    """Check that the image, which has this *content*, is a whole one of the build of *vmlinux*."""
    if len(content) < vmlinux.image_size:
        raise InputError(
            f"{image} is truncated, or not of the build of {vmlinux.path}: it has {len(content)} "
            f"bytes instead of {vmlinux.image_size}. Run {MAKE} again, or copy it again."
        )
    if vmlinux.build_id not in content:
        raise InputError(
            f"{image} and {vmlinux.path} are not of the same build: vmlinux has build id "
            f"{vmlinux.build_id.hex()}, the image {_build_ids(content)}. Run {MAKE} again, or give "
            "the vmlinux that the image was made from."
        )


def _build_ids(content: bytes) -> str:
    """The build ids in an image: its own, and that of the vDSO."""
    ids = [value[:SHA1_SIZE].hex() for value in content.split(GNU_NOTE)[1:]]
    return " and ".join(ids) or "has none"


def check_config(directory: Path, config: Mapping[str, str]) -> None:
    """Check that the kernel was built with *config*."""
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
            f"{some([f'CONFIG_{one}' for one in changed])}. Run {MAKE} again."
        )


def checked_release(directory: Path, image: Path, content: bytes) -> str:
    """The release of the build, once the image says that it is of the same one."""
    release = (directory / RELEASE).read_text(errors="replace").strip()
    banner = _BANNER.search(content)
    if banner and banner[1].decode() != release:
        raise InputError(
            f"the headers in {directory} are of Linux {release}, {image} is Linux "
            f"{banner[1].decode()}: a module that is built with them does not fit. Run {MAKE} "
            "again."
        )
    return release


def some(names: Sequence[str]) -> str:
    """The first of *names*, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
