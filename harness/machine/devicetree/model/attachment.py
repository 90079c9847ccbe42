# SPDX-License-Identifier: Apache-2.0
"""What the kernel attaches to a device (drivers/of/device.c, drivers/iommu/of_iommu.c)."""

from dataclasses import dataclass, field
from enum import Enum

from harness.machine.devicetree.flat import CELL, FlatNode, FlatTree
from harness.machine.devicetree.model.devices import REGION, Bus, TreeDevice
from harness.machine.devicetree.model.dma_ranges import EVERYTHING, Reach, reach_of
from harness.machine.devicetree.model.environment import Environment, KernelVersion
from harness.machine.devicetree.model.memory import is_enabled
from harness.machine.devicetree.model.regions import Kind, Regions, ReservedNode
from harness.machine.devicetree.model.rules import RULES, Rule
from harness.machine.devicetree.reserved import RESTRICTED

SLOT = 2048
"""IO_TLB_SIZE, bytes (include/linux/swiotlb.h)."""

SLOT_RECORD = 24
"""sizeof(struct io_tlb_slot), bytes."""

FAILED = 'failed to initialise "restricted-dma-pool" memory node'


ACCESS_PLATFORM = "VIRTIO_F_ACCESS_PLATFORM"
VIRTIO_PCI = "pci1af4,"
"""How the compatible of a virtio function begins: the vendor (include/linux/pci_ids.h)."""


class Restriction(Enum):
    """What a device's DMA is, as the lint says it."""

    RESTRICTED = "restricted"
    UNRESTRICTED = "unrestricted"
    IOMMU = "behind an IOMMU"
    COHERENT = "own coherent pool only"
    NO_DEVICE = "no device is made of this node"
    PART = "restricted, to a part of its pool"
    UNFIT = "restricted, but nothing fits"
    NO_BOOT = "this kernel does not boot with it"

    @property
    def is_attached(self) -> bool:
        """Whether the kernel attaches the device to its pool, which may still be unusable."""
        return self in (self.RESTRICTED, self.PART, self.UNFIT, self.NO_BOOT)

    def with_pool(self, name: str) -> str:
        """The same in words, with the *name* of the pool that the device is attached to."""
        named = {
            Restriction.RESTRICTED: f"restricted to pool {name}",
            Restriction.PART: f"restricted to a part of pool {name}",
            Restriction.UNFIT: f"restricted to pool {name}, but nothing fits",
        }
        return named.get(self, self.value) if name else self.value


@dataclass(frozen=True)
class DevicePrediction:
    """One device: *outcome*, its *pool*, the *rule* behind it and *why* in words.

    *names* are the restricted pools that the node's own memory-region refers to, whatever comes of
    it. *condition* is what the tree does not say. *log* are the lines that the kernel prints of the
    device. *reach* are the addresses that it reaches by the dma-ranges above it.
    """

    device: TreeDevice
    outcome: Restriction
    rule: Rule
    why: str
    pool: ReservedNode | None = None
    condition: str = ""
    names: tuple[FlatNode, ...] = field(default=(), repr=False)
    log: str = ""
    reach: Reach = EVERYTHING

    @property
    def path(self) -> str:
        """The device's path."""
        return self.device.path

    @property
    def virtio_condition(self) -> str:
        """The condition for a virtio driver to use the pool; empty for other devices."""
        if not self.outcome.is_attached:
            return ""
        if self.device.bus is Bus.PCI_REST:
            return f"virtio functions only if they offer {ACCESS_PLATFORM}"
        compatible = self.device.node.strings("compatible")
        of_virtio = any(one.startswith(VIRTIO_PCI) or one == "virtio,mmio" for one in compatible)
        return f"if the device offers {ACCESS_PLATFORM}" if of_virtio else ""


def attach(
    device: TreeDevice, tree: FlatTree, regions: Regions, kernel: KernelVersion, around: Environment
) -> DevicePrediction:
    """Predict what happens when a driver is bound to *device*."""
    names = named_pools(device.own, tree)
    if device.bus is Bus.NONE:
        assert device.rule is not None, "find_devices() says why"
        return DevicePrediction(
            device, Restriction.NO_DEVICE, device.rule, _no_device(device), names=names
        )
    found = _attach(device, tree, regions, kernel, around)
    return DevicePrediction(
        device, found.outcome, found.rule, found.why, found.pool,
        found.condition or device.condition, names, found.log, reach_of(device, tree, kernel),
    )  # fmt: skip


def named_pools(node: FlatNode | None, tree: FlatTree) -> tuple[FlatNode, ...]:
    """The nodes that want to be restricted pools and that memory-region of *node* refers to."""
    if node is None:
        return ()
    targets = (tree.by_phandle.get(phandle) for phandle in node.cells(REGION))
    return tuple(one for one in targets if one is not None and one.is_compatible(RESTRICTED))


def is_too_large(region: ReservedNode, around: Environment) -> bool:
    """Whether the kernel cannot allocate the table of a pool's slots."""
    return region.size // SLOT * SLOT_RECORD > around.largest_table


def _no_device(device: TreeDevice) -> str:
    if device.rule is RULES["device-disabled"]:
        return "it, or a node above it, is not enabled"
    if device.rule is RULES["by-driver"]:
        return "only the driver of a node above could make one"
    if device.rule is RULES["no-driver"]:
        return "no driver takes it"
    if device.node.parent is None:
        return "it is the root"
    if "compatible" not in device.node.properties:
        return "it has no compatible"
    return "nothing makes devices of the nodes below its parent"


@dataclass(frozen=True)
class _Found:
    outcome: Restriction
    rule: Rule
    why: str
    pool: ReservedNode | None = None
    condition: str = ""
    log: str = ""


def _attach(
    device: TreeDevice, tree: FlatTree, regions: Regions, kernel: KernelVersion, around: Environment
) -> _Found:
    iommu = _iommu(device, tree)
    if iommu is not None and is_enabled(iommu):
        return _Found(
            Restriction.IOMMU, RULES["behind-iommu"], f"{iommu.path} translates its addresses",
            condition=f"if a driver serves {iommu.path}",
        )  # fmt: skip
    source, inherited, hidden = _source(device, kernel)
    target, number = _first_pool(source, tree, kernel)
    if target is None:
        return hidden or _without_pool(device, source, tree)
    region = regions.found_for(target, kernel)
    if region is None or region.kind not in (Kind.POOL, Kind.COHERENT, Kind.CMA):
        return _not_set_up(target, region, regions)
    if region.kind is not Kind.POOL:
        return _another_kind(region, regions, device, kernel)
    if is_too_large(region, around):
        why = f"{region.name} is too large"
        return _Found(Restriction.UNRESTRICTED, RULES["too-large"], why, log=FAILED)
    why = f"memory-region of {source.path}" if inherited else "its memory-region"
    if number:
        why += f", entry {number + 1}"
    if region.node is not target:
        why += f", by the name that {target.path} has too"
    rule = RULES["inherited" if inherited else "restricted" if iommu is None else "iommu-disabled"]
    log = f"assigned reserved memory node {region.name}"
    return _Found(Restriction.RESTRICTED, rule, why, region, log=log)


def _another_kind(
    region: ReservedNode, regions: Regions, device: TreeDevice, kernel: KernelVersion
) -> _Found:
    """What a device gets from a node that became another kind of pool."""
    if region.kind is Kind.COHERENT and not region.size:
        why = f"{region.name} became {region.kind.value}, without a size"
        return _Found(Restriction.UNRESTRICTED, RULES["second-compatible"], why, log=FAILED)
    if region.kind is Kind.COHERENT and regions.memory.mapped.overlaps(region.place):
        why = f"{region.name} became {region.kind.value}, and is mapped"
        return _Found(Restriction.UNRESTRICTED, RULES["coherent-mapped"], why, log=FAILED)
    why = f"{region.name} became {region.kind.value}; its streaming mappings are unrestricted"
    log = f"assigned reserved memory node {region.name}"
    of_function = device.bus in (Bus.PCI, Bus.PCI_REST)
    if region.kind is Kind.COHERENT and of_function and RULES["attached-twice"].holds(kernel):
        log += f"\n{FAILED}"
    return _Found(Restriction.COHERENT, RULES["second-compatible"], why, region, log=log)


def _source(device: TreeDevice, kernel: KernelVersion) -> tuple[FlatNode, bool, _Found | None]:
    """The node whose memory-region counts, whether it is another's, and what hides that one."""
    own, other = device.own, device.configured_by
    if own is None or own is other:
        return other, own is not other, None
    data = own.properties.get(REGION)
    if data is None:
        return other, True, None
    if RULES["inherit-unless-usable"].holds(kernel):
        usable = bool(data) and len(data) % CELL == 0
        return (own, False, None) if usable else (other, True, None)
    if data:
        return own, False, None
    hides = REGION in other.properties
    found = _Found(
        Restriction.UNRESTRICTED,
        RULES["empty-region-hides"],
        f"its empty memory-region hides that of {other.path}",
    )
    return own, False, found if hides else None


def _first_pool(
    source: FlatNode, tree: FlatTree, kernel: KernelVersion
) -> tuple[FlatNode | None, int]:
    """The first entry of memory-region that is an enabled restricted pool, and its number."""
    data = source.properties.get(REGION, b"")
    if RULES["inherit-unless-usable"].holds(kernel) and len(data) % CELL:
        return None, 0
    for number, phandle in enumerate(source.cells(REGION)):
        target = tree.by_phandle.get(phandle)
        if target is not None and target.is_compatible(RESTRICTED) and is_enabled(target):
            return target, number
    return None, 0


def _without_pool(device: TreeDevice, source: FlatNode, tree: FlatTree) -> _Found:
    """Why *source* gives a device no pool."""
    data = source.properties.get(REGION)
    if data is None:
        return _Found(Restriction.UNRESTRICTED, RULES["no-region"], "no memory-region")
    phandles = source.cells(REGION)
    targets = [tree.by_phandle.get(phandle) for phandle in phandles]
    pools = [one for one in targets if one is not None and one.is_compatible(RESTRICTED)]
    if len(data) % CELL:
        rule, why = "malformed-region", f"its memory-region has {len(data)} bytes"
    elif pools:
        rule, why = "pool-disabled", f"{pools[0].name} is not enabled"
    elif phandles and not any(targets):
        rule, why = "dangling", f"no node has the phandle {phandles[0]:#x}"
    elif any(one is not None and one.is_compatible("shared-dma-pool") for one in targets):
        return _Found(
            Restriction.COHERENT, RULES["coherent-only"], "its memory-region is a shared-dma-pool",
            condition="if its driver asks for the pool",
        )  # fmt: skip
    elif device.own is not device.configured_by and REGION in device.configured_by.properties:
        host = device.configured_by.path
        rule, why = "other-region-hides", f"its memory-region hides that of {host}"
    else:
        rule, why = "no-region", "its memory-region is not a restricted pool"
    return _Found(Restriction.UNRESTRICTED, RULES[rule], why)


def _not_set_up(target: FlatNode, region: ReservedNode | None, regions: Regions) -> _Found:
    """The kernel does not find *target*, or found something that serves no device."""
    known = regions.of(target)
    if known is None and region is None:
        rule = RULES["not-in-reserved-memory"]
        why = f"{target.path} is not a child of /reserved-memory"
    else:
        about = region or known
        assert about is not None, "one of them is known"
        rule = about.rule or RULES["not-a-pool"]
        why = f"{about.name} was {about.kind.value}"
    return _Found(Restriction.UNRESTRICTED, rule, why, log=FAILED)


def _iommu(device: TreeDevice, tree: FlatTree) -> FlatNode | None:
    """The IOMMU that the tree puts before *device*; it may be disabled."""
    if device.bus in (Bus.PCI, Bus.PCI_REST):
        return _iommu_of_function(device, tree)
    for phandle in device.node.cells("iommus")[:1]:
        node = tree.by_phandle.get(phandle)
        if node is not None and "#iommu-cells" in node.properties:
            return node
    return None


def _iommu_of_function(device: TreeDevice, tree: FlatTree) -> FlatNode | None:
    """As of_map_id() with iommu-map of the host bridge: requester id, IOMMU, its id, number."""
    cells = device.configured_by.cells("iommu-map")
    mask = device.configured_by.cell("iommu-map-mask", 0xFFFFFFFF)
    for at in range(0, len(cells) - 3, 4):
        first, phandle, _, count = cells[at : at + 4]
        node = tree.by_phandle.get(phandle)
        if device.bus is Bus.PCI_REST:
            return node
        requester = device.node.cell("reg", 0) >> 8 & mask
        if first <= requester < first + count:
            return node
    return None
