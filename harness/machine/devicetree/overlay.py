# SPDX-License-Identifier: Apache-2.0
"""Find overlays in dts/, compile them with dtc, apply them with fdtoverlay."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.base.errors import DevicetreeError, ToolError
from harness.base.paths import CHECKOUT
from harness.base.tools import run_tool
from harness.machine.devicetree.flat import MAGIC

OVERLAYS = CHECKOUT / "dts"
SUFFIX = ".dtso"
UNPARSED = "FATAL ERROR: Unable to parse input tree"
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
    with dtc's message (file and line) or with the name of the overlay that does not fit.
    """
    with TemporaryDirectory(prefix="devicetree-") as name:
        scratch = Path(name)
        blob = scratch / "base.dtb"
        blob.write_bytes(base)
        for number, source in enumerate(sources):
            blob = _apply(blob, source, scratch / f"{number}")
        return blob.read_bytes()


def _apply(blob: Path, source: Path, stem: Path) -> Path:
    result = stem.with_suffix(".dtb")
    compiled = source if _is_blob(source) else _compiled(source, stem.with_suffix(".dtbo"))
    try:
        run_tool(["fdtoverlay", "-i", blob, "-o", result, compiled])
    except ToolError as fault:
        reason = fault.complaint.replace(str(compiled), "").replace("Failed to apply '': ", "")
        raise DevicetreeError(
            f"the overlay {source} does not fit this devicetree: it names a path that does not "
            f"exist, or a label that no earlier overlay defines ({reason})."
        ) from fault
    return result


def _is_blob(source: Path) -> bool:
    with source.open("rb") as file:
        return file.read(4) == MAGIC.to_bytes(4)


def _compiled(source: Path, target: Path) -> Path:
    try:
        run_tool(["dtc", "-@", "-I", "dts", "-O", "dtb", "-o", target, source])
    except ToolError as fault:
        reason = fault.complaint.removesuffix(UNPARSED).removeprefix("Error: ").strip()
        raise DevicetreeError(f"the overlay {source} does not compile: {reason}") from fault
    return target
