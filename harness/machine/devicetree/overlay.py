# SPDX-License-Identifier: Apache-2.0
"""Overlays: found in dts/, compiled by dtc, applied by fdtoverlay."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.base.errors import DevicetreeError, ToolError
from harness.base.paths import CHECKOUT
from harness.base.tools import run_tool

OVERLAYS = CHECKOUT / "dts"
SUFFIX = ".dtso"


def overlay_path(overlay: Path | str) -> Path:
    """The source of an overlay: a path as it is, a name from dts/.

    Raises DevicetreeError, with the names there are, for one that does not exist.
    """
    path = overlay if isinstance(overlay, Path) else OVERLAYS / f"{overlay}{SUFFIX}"
    if not path.is_file():
        known = ", ".join(sorted(source.stem for source in OVERLAYS.glob(f"*{SUFFIX}")))
        raise DevicetreeError(f"there is no overlay {path}. Those in {OVERLAYS} are: {known}.")
    return path


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
    compiled, result = stem.with_suffix(".dtbo"), stem.with_suffix(".dtb")
    options = ["-@", "-I", "dts", "-O", "dtb", "-o", str(compiled)]
    try:
        run_tool(["dtc", *options, source])
    except ToolError as fault:
        raise DevicetreeError(f"the overlay {source} does not compile. {fault}") from fault
    try:
        run_tool(["fdtoverlay", "-i", blob, "-o", result, compiled])
    except ToolError as fault:
        raise DevicetreeError(
            f"the overlay {source} does not fit this devicetree: a path that it names is not "
            f"there, or it refers to a label that no earlier overlay defines. {fault}"
        ) from fault
    return result
