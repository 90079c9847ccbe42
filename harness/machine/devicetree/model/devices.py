# SPDX-License-Identifier: Apache-2.0
"""Which devices the kernel makes of the nodes (drivers/of/platform.c, drivers/pci/of.c)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from harness.machine.devicetree.flat import FlatNode, FlatTree
from harness.machine.devicetree.model.environment import KernelVersion
from harness.machine.devicetree.model.memory import is_enabled
from harness.machine.devicetree.model.rules import RULES, Rule

BUSES = ("simple-bus", "simple-mfd", "isa", "arm,amba-bus")
"""of_platform_default_populate(): the children of these become devices too."""

PM_BUS = "simple-pm-bus"
"""A bus whose driver makes devices of its children, but not of theirs (simple_pm_bus_probe())."""

SKIPPED = "operating-points-v2"
REGION = "memory-region"
PCI_CELLS = 3
"""Cells of a PCI address; the first holds flags (IEEE 1275 PCI bus binding)."""

DRIVERLESS = ("arm,ffa",)
"""Firmware nodes without a driver that does DMA (6.1 to 7.3)."""

RESERVED_DEVICES = (
    *("phram", "qcom,rmtfs-mem", "qcom,cmd-db", "qcom,smem", "ramoops", "nvmem-rmem"),
    "google,open-dice",
)
"""Reserved memory that is a device as well (drivers/of/platform.c:reserved_mem_matches)."""

NO_DEVICES = frozenset(
    {
        *("chosen", "aliases", "memory", "cpus", "__symbols__", "__fixups__", "__local_fixups__"),
        *("reserved-memory", "options", "psci", "opp-table", "thermal-zones"),
    }
)
"""Nodes of the root of which, and below which, no device that does DMA is ever made."""


class Bus(Enum):
    """How the kernel knows a device."""

    PLATFORM = "platform"
    AMBA = "amba"
    PCI_HOST = "PCI host bridge"
    PCI = "PCI"
    PCI_REST = "PCI functions without a node of their own"
    NONE = "no device"


@dataclass(frozen=True, eq=False)
class TreeDevice:
    """A node and the device that the kernel makes of it.

    *configured_by* is the node with its DMA configuration: its own, or that of the PCI host bridge.
    *rule* says why no device is made, or (with a *condition*) who would make it.
    """

    node: FlatNode
    bus: Bus
    configured_by: FlatNode
    rule: Rule | None = None
    condition: str = ""

    @property
    def path(self) -> str:
        """The node's path; functions without a node have that of the host bridge with ``/*``."""
        return self.node.path + ("/*" if self.bus is Bus.PCI_REST else "")

    @property
    def own(self) -> FlatNode | None:
        """The node of the device itself."""
        return None if self.bus is Bus.PCI_REST else self.node

    @property
    def is_plain_bus(self) -> bool:
        """Whether it is a bus that does no DMA itself (drivers/bus/simple-pm-bus.c)."""
        first = [one.lower() for one in self.node.strings("compatible")[:1]]
        return bool({*BUSES, PM_BUS} & set(first))


def find_devices(tree: FlatTree, kernel: KernelVersion) -> Iterator[TreeDevice]:
    """Every node that could be a device or wants a pool, and whether *kernel* makes one of it."""
    found = set[FlatNode]()
    for one in _find(tree, kernel):
        found.add(one.node)
        yield one
    for node in tree.root.below():
        if REGION in node.properties and node not in found:
            yield TreeDevice(node, Bus.NONE, node, RULES["no-device"])


def _find(tree: FlatTree, kernel: KernelVersion) -> Iterator[TreeDevice]:
    reserved = tree.root.child("reserved-memory")
    for node in reserved.children if reserved else ():
        if any(map(node.is_compatible, RESERVED_DEVICES)):
            yield _platform(node)
    firmware, chosen = tree.root.child("firmware"), tree.root.child("chosen")
    yield from _populate(firmware, kernel) if firmware else ()
    for node in chosen.children if chosen else ():
        if node.is_compatible("simple-framebuffer"):
            yield _platform(node)
            break
    for node in tree.root.children:
        if node.name.partition("@")[0] not in NO_DEVICES and node is not firmware:
            yield from _create(node, kernel)


def _populate(
    parent: FlatNode, kernel: KernelVersion, buses: Sequence[str] = BUSES
) -> Iterator[TreeDevice]:
    for node in parent.children:
        yield from _create(node, kernel, buses)


def _create(
    node: FlatNode, kernel: KernelVersion, buses: Sequence[str] = BUSES
) -> Iterator[TreeDevice]:
    """As of_platform_bus_create(), and for what it does not reach, why."""
    if "compatible" not in node.properties or node.is_compatible(SKIPPED):
        yield from _not_made(node, RULES["no-device"])
        return
    if not is_enabled(node):
        yield from _not_made(node, RULES["device-disabled"])
        return
    if node.is_compatible("arm,primecell"):
        yield TreeDevice(node, Bus.AMBA, node)
        yield from _by_driver(node)
        return
    if is_host_bridge(node):
        yield TreeDevice(node, Bus.PCI_HOST, node)
        yield from _pci(node, node, kernel)
        yield TreeDevice(node, Bus.PCI_REST, node, condition="if there are such functions")
        return
    if any(map(node.is_compatible, DRIVERLESS)):
        yield from _not_made(node, RULES["no-driver"])
        return
    yield _platform(node)
    if any(map(node.is_compatible, buses)):
        yield from _populate(node, kernel)
    elif node.is_compatible(PM_BUS):
        yield from _on_pm_bus(node, kernel)
    elif any(map(node.is_compatible, BUSES)):
        for child in node.children:
            yield from _not_made(child, RULES["no-device"])
    else:
        yield from _by_driver(node)


def _on_pm_bus(bus: FlatNode, kernel: KernelVersion) -> Iterator[TreeDevice]:
    """What the driver of a bus with power management makes of its children."""
    needs = [name for name in ("clocks", "power-domains") if name in bus.properties]
    first = bus.strings("compatible")[0].lower()
    unless = f"unless {first} has another driver" if first != PM_BUS else ""
    condition = f"if the driver of {bus.path} gets its {' and '.join(needs)}" if needs else unless
    for one in _populate(bus, kernel, buses=()):
        said = "; ".join(filter(None, (condition, one.condition)))
        yield replace(one, condition=said) if one.bus is not Bus.NONE else one


def _platform(node: FlatNode) -> TreeDevice:
    if not is_enabled(node):
        return TreeDevice(node, Bus.NONE, node, RULES["device-disabled"])
    return TreeDevice(node, Bus.PLATFORM, node)


def is_host_bridge(node: FlatNode) -> bool:
    """Whether the node is taken for a PCI host bridge.

    Its driver asks for compatible, not for a device_type, so a node without one can be one too. A
    bus of platform devices is none, whatever its name.
    """
    if any(map(node.is_compatible, BUSES)):
        return False
    if "device_type" in node.properties:
        return bool({"pci", "pciex"} & set(node.strings("device_type")[:1]))
    named = node.name.partition("@")[0] in ("pci", "pcie")
    return named and node.cell("#address-cells", 0) == PCI_CELLS


def _pci(bus: FlatNode, host: FlatNode, kernel: KernelVersion) -> Iterator[TreeDevice]:
    """The functions below a bus, found by device and function (of_pci_find_child_device())."""
    for node in bus.children:
        if len(node.cells("reg")) < 5:
            yield from _not_made(node, RULES["no-device"])
        elif is_enabled(node):
            yield TreeDevice(node, Bus.PCI, host, condition="if the function is there")
            yield from _pci(node, host, kernel)
        elif condition := _although_disabled(kernel):
            yield TreeDevice(node, Bus.PCI, host, condition=condition)
            yield from _pci(node, host, kernel)
        else:
            yield from _not_made(node, RULES["device-disabled"])


def _although_disabled(kernel: KernelVersion) -> str:
    """The condition of a function whose node is not enabled; empty if it gets no region."""
    if RULES["disabled-function"].holds(kernel):
        return "if the function is there; its status does not count"
    if RULES["attached-twice"].holds(kernel):
        return "if the function is there; it is not enabled, so no driver is bound"
    return ""


def _by_driver(parent: FlatNode) -> Iterator[TreeDevice]:
    for node in parent.children:
        for one in node.below():
            yield TreeDevice(one, Bus.NONE, one, RULES["by-driver"])


def _not_made(node: FlatNode, rule: Rule) -> Iterator[TreeDevice]:
    for one in node.below():
        yield TreeDevice(one, Bus.NONE, one, rule)
