# SPDX-License-Identifier: Apache-2.0
"""Find overlays in dts/, compile them with dtc, apply them."""

from collections.abc import Sequence
from pathlib import Path

from harness.base.errors import DevicetreeError, ToolError
from harness.base.paths import CHECKOUT
from harness.base.tools import run_tool
from harness.machine.devicetree.bounded import reason
from harness.machine.devicetree.flat import MAGIC, read_blob, read_named
from harness.machine.devicetree.fragments import apply, is_overlay, targets

OVERLAYS = CHECKOUT / "dts"
SUFFIX = ".dtso"
"""The last line of dtc after a syntax error."""

FILES = (SUFFIX, ".dts", ".dtbo")
"""How the name of a file with an overlay ends."""


def overlay_path(overlay: Path | str) -> Path:
    """The file of an overlay, given by its path or as a name in dts/.

    A text that ends as FILES is a path. Raises DevicetreeError, with the known names, if it does
    not exist.
    """
    path = Path(overlay) if is_file(overlay) else OVERLAYS / f"{overlay}{SUFFIX}"
    if not path.is_file():
        known = ", ".join(sorted(source.stem for source in OVERLAYS.glob(f"*{SUFFIX}")))
        raise DevicetreeError(
            f"unknown overlay '{overlay}': {_what_it_is(overlay)}. Expected one of {known} (in "
            f"{OVERLAYS}), or a file whose name ends in {', '.join(FILES)}"
        )
    return path


def _what_it_is(overlay: Path | str) -> str:
    path = Path(overlay)
    if path.is_dir():
        return "it is a directory"
    if path.exists():
        return "the suffix of the file is not that of an overlay"
    return "no such file" if is_file(overlay) else "no such name, and no file"


def is_file(overlay: Path | str) -> bool:
    """Whether *overlay* is a file, and not a name in dts/."""
    return isinstance(overlay, Path) or overlay.endswith(FILES)


def apply_overlays(base: bytes, sources: Sequence[Path]) -> bytes:
    """Compile *sources* and apply them to the blob *base*, in order.

    QEMU's blob has no symbols, so an overlay reaches its nodes by ``target-path`` or
    ``&{/path}``; labels work inside an overlay and from one to the next. Raises DevicetreeError
    with dtc's message (file and line) or with what an overlay names that is not there.
    """
    for source in sources:
        name, top = str(source), source.read_bytes()
        if top[:4] != MAGIC.to_bytes(4):
            top = _compiled(source)
        tree = read_named(name, top)
        if not is_overlay(tree):
            raise DevicetreeError(
                f"{name} is not an overlay: it has no fragments. 'harness try {name}' tests the "
                "devicetree of a board."
            )
        targets(name, tree, read_blob(base))
        base = apply(name, top, base)
    return base


def _compiled(source: Path) -> bytes:
    try:
        return run_tool(["dtc", "-@", "-I", "dts", "-O", "dtb", "-o", "-", source])
    except ToolError as fault:
        why = reason(fault.complaint)
        raise DevicetreeError(f"the overlay {source} does not compile: {why}") from fault
