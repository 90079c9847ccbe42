# SPDX-License-Identifier: Apache-2.0
"""Compose a devicetree from QEMU's own blob, overlays, and the addresses of pools."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

from harness.base.cache import digest
from harness.base.errors import DevicetreeError
from harness.base.tools import run_tool
from harness.machine.devicetree.flat import read_blob
from harness.machine.devicetree.lint.faults import find_faults
from harness.machine.devicetree.model import Environment, KernelVersion, predict
from harness.machine.devicetree.model.environment import NEWEST
from harness.machine.devicetree.overlay import apply_overlays, overlay_path
from harness.machine.devicetree.payload import BootPayload
from harness.machine.devicetree.region import DynamicPool, Placement, Pool
from harness.machine.devicetree.reserved import place, ram_regions, read_pools, take_labels
from harness.machine.devicetree.tree import Tree

AS_WRITTEN: Mapping[str, Placement] = MappingProxyType({})
ROOMY = BootPayload()

IMPOSSIBLE = frozenset(
    {
        *("cells-differ", "refused-flags", "second-compatible", "bad-reg", "bad-size", "no-place"),
        *("size-zero", "empty-reg", "no-slot", "first-entry-only", "page-shared", "dangling"),
        *("outside-ram", "over-nomap", "over-loaded", "overlap", "not-in-reserved-memory"),
    }
)
"""Rules of the lint by which a test's pool cannot exist, or is not what the test believes."""


@dataclass(frozen=True)
class Devicetree:
    """A blob for ``-dtb`` and the restricted pools it describes.

    *pools* have a fixed address, ascending; the kernel places the *dynamic* ones. Disabled pools
    are in neither. *overlays* are the names of the sources applied.
    """

    blob: bytes = field(repr=False)
    pools: tuple[Pool, ...]
    dynamic: tuple[DynamicPool, ...]
    overlays: tuple[str, ...]

    @property
    def key(self) -> str:
        """A hash of the content."""
        return digest(self.blob)

    def pool(self, label: str) -> Pool:
        """The fixed pool with that label; raises DevicetreeError if there is none."""
        for pool in self.pools:
            if pool.label == label:
                return pool
        known = ", ".join(pool.label for pool in self.pools) or "none"
        raise DevicetreeError(f"no pool has the label '{label}'; the labels are: {known}.")

    def source(self) -> str:
        """The blob as devicetree source."""
        return run_tool(["dtc", "-q", "-I", "dtb", "-O", "dts"], data=self.blob).decode()


def compose(
    base: bytes,
    overlays: Sequence[Path | str],
    *,
    pools: Mapping[str, Placement] = AS_WRITTEN,
    payload: BootPayload = ROOMY,
    allow_invalid: bool = False,
) -> Devicetree:
    """Apply *overlays* (names in dts/ or paths) to the blob *base* and move *pools* by label.

    Raises DevicetreeError for an overlay that does not compile or fit, and, unless
    *allow_invalid*, for pools that cannot exist by the rules of the lint: outside RAM, overlapping
    each other or the *payload* that QEMU loads, refused by the kernel, not in whole pages.
    """
    sources = [overlay_path(overlay) for overlay in overlays]
    tree = Tree(apply_overlays(base, sources))
    labels = take_labels(tree)
    place(tree, labels, pools)
    faults = _faults(tree, payload)
    if faults and not allow_invalid:
        names = " + ".join(source.name for source in sources)
        raise DevicetreeError(
            f"the devicetree of {names} cannot work: {'; '.join(faults)}. Correct the overlay "
            "or the placement; a test about just that composes it with allow_invalid=True."
        )
    found = read_pools(tree, labels)
    fixed = (pool for pool in found if isinstance(pool, Pool))
    return Devicetree(
        blob=tree.blob(),
        pools=tuple(sorted(fixed, key=lambda pool: pool.base)),
        dynamic=tuple(pool for pool in found if isinstance(pool, DynamicPool)),
        overlays=tuple(source.stem for source in sources),
    )


def _faults(tree: Tree, payload: BootPayload) -> list[str]:
    """Why the pools of *tree* cannot exist, on the newest kernel; most rules hold on all."""
    ram = ram_regions(tree)
    around = Environment(loaded=payload.loaded(ram[0]) if ram else ())
    flat = read_blob(tree.blob())
    found = find_faults(flat, predict(flat, KernelVersion(NEWEST), around), around)
    return [f"{one.path}: {one.text}" for one in found if one.rule.name in IMPOSSIBLE]
