# SPDX-License-Identifier: Apache-2.0
"""What is wrong with the devices that restricted pools are for, on one kernel."""

from collections.abc import Iterator

from harness.machine.devicetree.flat import FlatTree
from harness.machine.devicetree.lint.fault import Fault, fault_of
from harness.machine.devicetree.model.attachment import (
    DevicePrediction,
    Restriction,
    named_pools,
)
from harness.machine.devicetree.model.bus_address import has_cells, is_pci_bus
from harness.machine.devicetree.model.devices import REGION, Bus
from harness.machine.devicetree.model.dma_ranges import buses_above
from harness.machine.devicetree.model.prediction import Prediction
from harness.machine.devicetree.model.rules import RULES


def device_faults(tree: FlatTree, found: Prediction) -> Iterator[Fault]:
    """What is wrong with the devices, and with what names pools for them."""
    yield from _dangling(tree)
    yield from _ignored_ranges(tree, found)
    for one in found.devices:
        if one.outcome in (Restriction.PART, Restriction.UNFIT, Restriction.NO_BOOT):
            if one.names:
                yield _of_device(one)
        elif one.outcome is Restriction.RESTRICTED:
            said = one.virtio_condition
            if said and one.device.bus is not Bus.PCI_REST:
                yield Fault(RULES["virtio-access-platform"], one.path, said)
            if one.names and (below := without_pool_below(one, found)):
                text = f"nothing below it inherits: {', '.join(below)}"
                yield Fault(RULES["bus-region"], one.path, text, REGION)
            if one.pool is not None and one.names and one.pool.node not in one.names:
                yield Fault(
                    RULES["namesake"], one.path,
                    f"it refers to {one.names[0].path} and gets {one.pool.node.path}",
                    REGION,
                )  # fmt: skip
        elif one.names or _concerns(one, tree):
            yield _of_device(one)


def _dangling(tree: FlatTree) -> Iterator[Fault]:
    for node in tree.root.below():
        for phandle in node.cells(REGION) if REGION in node.properties else ():
            if phandle not in tree.by_phandle:
                text = f"it refers to phandle {phandle:#x}, which no node has"
                yield fault_of("dangling", node, text, REGION)
                break


def _ignored_ranges(tree: FlatTree, found: Prediction) -> Iterator[Fault]:
    """dma-ranges above restricted devices that the kernel ignores."""
    if not RULES["bus-without-cells"].holds(found.kernel):
        return
    for one in found.devices:
        lines = buses_above(one.device, tree) if one.outcome.is_attached else ()
        counts = next((bus for bus in lines if bus.properties.get("dma-ranges")), None)
        for bus in lines[lines.index(counts) :] if counts else ():
            if counts and not has_cells(bus):
                text = f"its dma-ranges are ignored: {bus.path} has no #address-cells"
                yield fault_of("bus-without-cells", counts, text, "dma-ranges")
                break


def without_pool_below(bus: DevicePrediction, found: Prediction) -> tuple[str, ...]:
    """The paths of unrestricted devices below *bus*, if it is a bus that does no DMA itself.

    Functions without a node behind a PCI bridge get what their host bridge has.
    """
    bridge = bus.device.bus is Bus.PCI and is_pci_bus(bus.device.node)
    if not (bus.device.is_plain_bus or bridge):
        return ()
    below = [one for one in found.devices if one.path.startswith(f"{bus.path}/")]
    if bridge and not below:
        rest = f"{bus.device.configured_by.path}/*"
        below = [one for one in found.devices if one.path == rest]
    return tuple(one.path for one in below if one.outcome is Restriction.UNRESTRICTED)


def _concerns(device: DevicePrediction, tree: FlatTree) -> bool:
    """Whether an unrestricted device without a pool of its own is so by mistake."""
    if device.rule is RULES["behind-iommu"]:
        return bool(named_pools(device.device.configured_by, tree))
    return device.rule.name in ("empty-region-hides", "other-region-hides", "malformed-region")


def _of_device(device: DevicePrediction) -> Fault:
    pool = device.pool.name if device.pool else ""
    text = f"{device.outcome.with_pool(pool)}: {device.why}"
    return Fault(device.rule, device.path, text, REGION)
