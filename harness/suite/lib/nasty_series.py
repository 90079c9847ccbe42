# SPDX-License-Identifier: Apache-2.0
"""Series that are hard for a workspace: each as functions that change files of the kernel."""

import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import Path

KCONFIG, HZ = "kernel/dma/Kconfig", "kernel/Kconfig.hz"
MAKEFILE, SWIOTLB, HEADER = "kernel/dma/Makefile", "kernel/dma/swiotlb.c", "kernel/dma/direct.h"

Read = Callable[[str], str]
"""Returns the text of a file of the tree."""

Changed = Mapping[str, str | None]
"""The new text of each changed file, by path; None for one that is deleted."""


def _option_renamed(read: Read) -> Changed:
    return {KCONFIG: read(KCONFIG).replace("config DMA_RESTRICTED_POOL", "config DMA_CONFINED")}


def _option_removed(read: Read) -> Changed:
    return {KCONFIG: re.sub(r"config DMA_RESTRICTED_POOL\n(\t.*\n|\n)+", "", read(KCONFIG))}


def _option_added(read: Read) -> Changed:
    return {KCONFIG: read(KCONFIG) + "\nconfig HARNESS_EXTRA\n\tdef_bool y\n"}


def _default_changed(read: Read) -> Changed:
    return {HZ: read(HZ).replace("default HZ_250", "default HZ_100")}


def _file_added(read: Read) -> Changed:
    added = "int harness_extra;\n"
    return {MAKEFILE: read(MAKEFILE) + "obj-y += extra.o\n", "kernel/dma/extra.c": added}


def _file_deleted(read: Read) -> Changed:
    lines = read(MAKEFILE).splitlines(keepends=True)
    kept = "".join(line for line in lines if "map_benchmark" not in line)
    return {MAKEFILE: kept, "kernel/dma/map_benchmark.c": None}


def _file_renamed(read: Read) -> Changed:
    makefile = read(MAKEFILE).replace("swiotlb.o", "bounce.o")
    return {MAKEFILE: makefile, SWIOTLB: None, "kernel/dma/bounce.c": read(SWIOTLB)}


def _makefile(read: Read) -> Changed:
    return {MAKEFILE: read(MAKEFILE) + "ccflags-y += -DHARNESS_EXTRA\n"}


def _header(read: Read) -> Changed:
    return {HEADER: read(HEADER).replace("#include", "#define HARNESS_EXTRA 1\n#include", 1)}


def _does_not_build(read: Read) -> Changed:
    return {SWIOTLB: read(SWIOTLB) + "this is not C;\n"}


def _comment(read: Read) -> Changed:
    return {SWIOTLB: read(SWIOTLB) + "/* A comment. */\n"}


EDITS: Mapping[str, tuple[Callable[[Read], Changed], ...]] = {
    "option renamed": (_option_renamed,),
    "option removed": (_option_removed,),
    "option added": (_option_added,),
    "default changed": (_default_changed,),
    "file added": (_file_added,),
    "file deleted": (_file_deleted,),
    "file renamed": (_file_renamed,),
    "makefile": (_makefile,),
    "header": (_header,),
    "does not build": (_does_not_build,),
    "comment": (_comment,),
    "empty": (),
    "reverted": (_option_renamed, lambda read: {KCONFIG: read(KCONFIG)}),
}
"""Each series by name: the changes of its patches, in order, to the pristine tree."""


def write_series(name: str, read: Read, directory: Path) -> tuple[Path, ...]:
    """Write the patches of series *name* into *directory*; *read* returns the pristine files."""
    paths, state = [], dict[str, str | None]()
    for number, edit in enumerate(EDITS[name], 1):
        changed = edit(read)
        before = {path: state.get(path, _text(read, path)) for path in changed}
        assert changed != before, f"{name} changes nothing in this kernel"
        paths.append(directory / f"{number}-{name.replace(' ', '-')}.patch")
        paths[-1].write_text("".join(_diff(path, before[path], changed[path]) for path in changed))
        state |= changed
    return tuple(paths)


def _text(read: Read, path: str) -> str | None:
    try:
        return read(path)
    except FileNotFoundError:
        return None


def _diff(path: str, before: str | None, after: str | None) -> str:
    old, new = ("" if text is None else text for text in (before, after))
    lines = difflib.unified_diff(
        old.splitlines(keepends=True),
        new.splitlines(keepends=True),
        "/dev/null" if before is None else f"a/{path}",
        "/dev/null" if after is None else f"b/{path}",
    )
    return "".join(lines)
