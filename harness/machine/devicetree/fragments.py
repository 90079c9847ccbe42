# SPDX-License-Identifier: Apache-2.0
"""The fragments of an overlay: where each goes in the devicetree that it is for.

An overlay's blob has nodes ``/fragment@0/__overlay__``; what is in them is merged into the node at
``target-path``, a path or alias, or ``target``, whose label is in ``/__fixups__`` (dtc,
Documentation/dt-object-internal.txt).
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from harness.base.errors import DevicetreeError
from harness.machine.devicetree.bounded import run_bounded
from harness.machine.devicetree.flat import FlatNode, FlatTree

NO_LABELS = "compile it with dtc -@, or name its nodes by path"
CONTENT, LABELS, WANTED = "__overlay__", "__symbols__", "__fixups__"


def is_overlay(tree: FlatTree) -> bool:
    """Whether the blob is an overlay, not the devicetree of a machine."""
    return any(one.child(CONTENT) for one in tree.root.children)


def targets(name: str, overlay: FlatTree, board: FlatTree) -> dict[str, str]:
    """Where in *board* each fragment of the overlay *name* goes, by its path in the overlay.

    Raises DevicetreeError if the board lacks a label or node, or if it is not an overlay.
    """
    if not is_overlay(overlay):
        raise DevicetreeError(f"{name} is not an overlay: it has no fragments")
    labels = _labels(name, overlay, board)
    return {
        f"{one.path}/{CONTENT}": _target(name, one, labels, board)
        for one in overlay.root.children
        if one.child(CONTENT)
    }


def apply(name: str, overlay: bytes, blob: bytes) -> bytes:
    """*blob* with the overlay *name* on top."""
    with TemporaryDirectory(prefix="overlay-") as scratch:
        base, top = Path(scratch, "base.dtb"), Path(scratch, "top.dtbo")
        base.write_bytes(blob)
        top.write_bytes(overlay)
        command = ["fdtoverlay", "-i", base.name, "-o", "-", top.name]
        failed = f"{name}: cannot apply the overlay"
        return run_bounded(command, b"", failed, directory=Path(scratch))


def _labels(name: str, overlay: FlatTree, board: FlatTree) -> dict[str, str]:
    """The board's path of each place that refers to a label, as ``path:property:offset``."""
    wanted, known = overlay.root.child(WANTED), board.root.child(LABELS)
    found: dict[str, str] = {}
    for label in wanted.properties if wanted else ():
        paths = known.strings(label) if known else ()
        if not paths:
            advice = "" if known else f"; it has no labels at all: {NO_LABELS}"
            raise DevicetreeError(f"{name}: the board has no label '{label}'{advice}")
        assert wanted is not None
        found |= dict.fromkeys(wanted.strings(label), paths[0])
    return found


def _target(name: str, fragment: FlatNode, labels: dict[str, str], board: FlatTree) -> str:
    aliases = board.root.child("aliases")
    for path in fragment.strings("target-path")[:1]:
        there = path if path.startswith("/") else next(iter(_of_alias(aliases, path)), path)
        if not there.startswith("/") or board.find(there) is None:
            what = "node" if path.startswith("/") else "node or alias"
            raise DevicetreeError(f"{name}: the board has no {what} {path}")
        return there
    by_label = labels.get(f"{fragment.path}:target:0")
    node = board.by_phandle.get(fragment.cell("target", 0))
    if by_label is None and node is None:
        raise DevicetreeError(f"{name}: {fragment.path} does not say what it is for")
    return by_label or (node.path if node else "")


def _of_alias(aliases: FlatNode | None, path: str) -> Iterator[str]:
    alias, slash, rest = path.partition("/")
    for there in aliases.strings(alias)[:1] if aliases else ():
        yield f"{there}{slash}{rest}"
