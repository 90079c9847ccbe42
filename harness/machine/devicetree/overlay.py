# SPDX-License-Identifier: Apache-2.0
"""Find overlays in dts/, compile them with dtc, apply them with fdtoverlay."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.base.errors import DevicetreeError, ToolError
from harness.base.paths import CHECKOUT
from harness.base.tools import run_tool

OVERLAYS = CHECKOUT / "dts"
SUFFIX = ".dtso"


def overlay_path(overlay: Path | str) -> Path:
    """The source of an overlay, given as a path or as a name in dts/.

    Raises DevicetreeError, with the known names, if it does not exist.
    """
    path = overlay if isinstance(overlay, Path) else OVERLAYS / f"{overlay}{SUFFIX}"
    if not path.is_file():
        known = ", ".join(sorted(source.stem for source in OVERLAYS.glob(f"*{SUFFIX}")))
        raise DevicetreeError(f"unknown overlay {path}: expected one of {known} (in {OVERLAYS})")
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
            f"the overlay {source} does not fit this devicetree: it names a path that does not "
            f"exist, or a label that no earlier overlay defines. {fault}"
        ) from fault
    return result
