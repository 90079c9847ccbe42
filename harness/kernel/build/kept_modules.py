# SPDX-License-Identifier: Apache-2.0
"""The modules of a kernel that are kept with it: those for devices that a guest can have."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from harness.base.architecture import CROSS
from harness.base.tools import run_tool

UNUSED = (
    *("sound", "drivers/gpu", "drivers/iio", "drivers/infiniband", "drivers/media"),
    *("drivers/staging", "drivers/net/wireless", "net/bluetooth", "net/mac80211"),
)
"""Directories of modules for devices that no guest has: half of what a distribution ships."""

ORDER = "modules.order"
"""The file in which kbuild lists what it built as a module: ``.ko``, since Linux 6.2 ``.o``."""

KERNEL = "kernel"
"""The directory of the kernel's own modules in ``lib/modules/RELEASE``."""

STRIPPED_AT_ONCE = 100


def built_modules(output: Path) -> tuple[Path, ...]:
    """The modules in build directory *output*, relative to it, except UNUSED ones; may be none."""
    order = output / ORDER
    lines = order.read_text(errors="replace").splitlines() if order.is_file() else ()
    named = (Path(line).with_suffix(".ko") for line in lines if _inside(line))
    return tuple(
        path
        for path in dict.fromkeys(named)
        if not any(path.is_relative_to(folder) for folder in UNUSED) and (output / path).is_file()
    )


def _inside(name: str) -> bool:
    """Whether *name* is the path of a file that lies below the directory it is relative to."""
    path = Path(name)
    return bool(path.name) and not path.is_absolute() and ".." not in path.parts


def keep_built(output: Path, target: Path) -> None:
    """Copy the modules of build directory *output* to *target*, without debugging information.

    *target* is then as ``lib/modules/RELEASE``; it is not made if there are none. Raises
    ToolError if one is damaged.
    """
    copied = [*_copied(output, target)]
    for first in range(0, len(copied), STRIPPED_AT_ONCE):
        run_tool((f"{CROSS}strip", "--strip-debug", *copied[first : first + STRIPPED_AT_ONCE]))


def _copied(output: Path, target: Path) -> Iterator[Path]:
    for path in built_modules(output):
        copy = target / KERNEL / path
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(output / path, copy)
        yield copy


def keep_installed(installed: Path, target: Path) -> None:
    """Move the modules in *installed*, a ``lib/modules/RELEASE``, to *target*, but UNUSED ones."""
    for name in UNUSED:
        shutil.rmtree(installed / KERNEL / name, ignore_errors=True)
    target.mkdir()
    for path in (installed / KERNEL, *installed.glob("modules.*")):
        path.rename(target / path.name)
