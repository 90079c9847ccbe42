# SPDX-License-Identifier: Apache-2.0
"""Devices of the machine that stand in for those of a board that refer to reserved memory.

A node of a platform device keeps its path and all that the kernel's decision depends on: the buses
above it, their ``dma-ranges``, ``status``, whether it is a device at all. A PCI function has a root
port of its own; a virtio-mmio transport is one of QEMU's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum

from harness.machine.devicetree.flat import FlatNode, FlatTree
from harness.machine.devicetree.model.bus_address import dma_parent, is_pci_bus
from harness.machine.devicetree.model.devices import BUSES, PM_BUS, REGION, SKIPPED, is_host_bridge
from harness.machine.devicetree.model.environment import KernelVersion
from harness.machine.devicetree.qemu import HOST_BRIDGE
from harness.machine.devicetree.reserved import RESTRICTED
from harness.machine.transfer.address_map import AddressMap
from harness.machine.transfer.overlay_node import OverlayNode, cells, raw, safe_name
from harness.machine.transfer.regions import RESERVED
from harness.machine.transfer.windows import moved_dma_ranges, moved_windows
from harness.machine.virtio import FIRST_TRANSPORT, TRANSPORT_SIZE, TRANSPORTS

PROBE = "restricted-dma-harness,probe"
"""The compatible of the platform devices that the probe module drives (guest/probe/drivers.c)."""

IDLE = "restricted-dma-harness,stand-in"
"""The compatible of a device that no driver takes."""

COPIED = ("status", "dma-coherent", "dma-noncoherent", "#address-cells", "#size-cells")
"""Properties of a platform device and of the buses above it that are copied."""

VIRTIO_MMIO = "virtio,mmio"

MOST_PORTS = 7
"""Root ports of the machine: its SMMU knows the buses 0 to 7."""

MACHINES_OWN = frozenset(
    {
        *("memory", "cpus", "psci", "pmu", "timer", "chosen", "aliases", "apb-pclk", "platform"),
        *("platform-bus", "fw-cfg", "virtio_mmio", "pcie", "pl031", "pl061", "pl011", "intc"),
        *("flash", "gpio-keys", "smmuv3", "reserved-memory", "firmware", "probe-a", "probe-b"),
        *("gpio-poweroff", "gpio-restart", "secure-pl061", "secflash", "secram", "options"),
    }
)
"""Names of nodes that QEMU's board has (hw/arm/virt.c), or that the harness adds."""

ELSEWHERE = "not-reserved-memory"
"""The node for targets of memory-region that are no child of /reserved-memory."""

PCI_MEMORY = 0x0300_0000
"""64-bit memory space (IEEE 1275 PCI bus binding, phys.hi)."""


class Kind(Enum):
    """What stands in for a device."""

    PLATFORM = "platform device"
    HOST = "PCI host bridge"
    FUNCTION = "PCI endpoint"
    BRIDGE = "PCI root port"
    VIRTIO = "virtio-mmio transport"
    NOTHING = "nothing"


@dataclass(frozen=True)
class StandIn:
    """The device of the board at *path*, and the node of the machine that stands in for it.

    *remark* says what is not as on the board; empty if nothing is.
    """

    path: str
    kind: Kind
    node: str = ""
    remark: str = ""

    def __str__(self) -> str:
        where = f" {self.node}" if self.node not in ("", self.path) else ""
        remark = f" ({self.remark})" if self.remark else ""
        return f"{self.path}: {self.kind.value}{where}{remark}"


def users_of(tree: FlatTree) -> tuple[FlatNode, ...]:
    """The nodes that refer to memory regions, and the host bridges above them."""
    reserved = tree.root.child(RESERVED)
    inside = set(reserved.below()) if reserved else set()
    found: dict[FlatNode, None] = {}
    for node in tree.root.below():
        if REGION in node.properties and node not in inside and node is not tree.root:
            host = host_of(node)
            if host is not None:
                found.setdefault(host)
            found.setdefault(node)
    return tuple(found)


def host_of(node: FlatNode) -> FlatNode | None:
    """The PCI host bridge that *node* is, or is below; None if it is neither."""
    found = None
    above: FlatNode | None = node
    while above is not None:
        if is_host_bridge(above):
            found = above
        above = above.parent
    return found


class StandIns:
    """Adds stand-ins to the *targets* of an overlay, in which regions have *labels* by path.

    What devices reach is what *kernel* makes of the board.
    """

    def __init__(
        self,
        tree: FlatTree,
        labels: Mapping[str, str],
        addresses: AddressMap,
        targets: dict[str, OverlayNode],
        kernel: KernelVersion,
    ) -> None:
        self._tree, self._labels, self._addresses = tree, dict(labels), addresses
        self._kernel = kernel
        self._targets = targets
        self._users = users_of(tree)
        self._main = self._main_host()
        names_pool = self._main is not None and REGION in self._main.properties
        self._next_port = 2 if names_pool else 1
        self._next_transport = 0
        self._behind: dict[FlatNode, int] = {}
        self._bridges: dict[FlatNode, int] = {}

    def add_all(self) -> Iterator[StandIn]:
        """Add a stand-in for each device, in the order of the board's tree."""
        for node in self._users:
            host = host_of(node)
            through = dma_parent(node, self._tree)
            if host is None and through is not None and self._masters_through(node):
                remark = "the interconnect is a bus here"
                yield self._below_bus(node, through, safe_name(node.name), remark)
            elif host is None:
                yield self._transport(node) if self._is_transport(node) else self._platform(node)
            elif host is not self._main:
                inner = "endpoint" if node is host else safe_name(node.name)
                remark = "QEMU's virt board has one PCI host bridge"
                yield self._below_bus(node, host, inner, remark)
            elif node is host:
                yield self._host(node)
            else:
                yield self._function(node)

    def _masters_through(self, node: FlatNode) -> bool:
        """Whether *node* masters memory through an interconnect, or a bus above it does."""
        lines = (node, *_buses(node))
        return any(dma_parent(one, self._tree) is not one.parent for one in lines)

    def _main_host(self) -> FlatNode | None:
        """The host bridge that QEMU's stands in for: one with functions that have nodes, if any."""
        hosts = [node for node in self._users if is_host_bridge(node) and host_of(node) is node]
        named = {host_of(node) for node in self._users if host_of(node) is not node}
        return next((one for one in hosts if one in named), hosts[0] if hosts else None)

    # PCI

    def _host(self, node: FlatNode) -> StandIn:
        target = self._targets.setdefault(HOST_BRIDGE, OverlayNode())
        self._refer(target, node)
        if "status" in node.properties:
            target.set("status", raw(node.properties["status"]))
        windows = moved_windows(node, self._tree, self._addresses, self._kernel)
        if windows is not None:
            entries = (f"{cells(PCI_MEMORY)}, {cells(*one, width=2)}" for one in windows)
            target.set("dma-ranges", ", ".join(entries))
        remark = "" if "dma-coherent" in node.properties else "dma-coherent here"
        return StandIn(node.path, Kind.HOST, HOST_BRIDGE, remark)

    def _function(self, node: FlatNode) -> StandIn:
        number = self._bridges.get(node.parent) if node.parent else None
        if number is None or "device@0,0" in self._port(number).children:
            number = self._next_port
            if number > MOST_PORTS:
                remark = f"the machine has {MOST_PORTS} root ports"
                return StandIn(node.path, Kind.NOTHING, remark=remark)
            self._next_port += 1
        port, path = self._port(number), f"{HOST_BRIDGE}/pcie@{number},0"
        if is_host_bridge(node) or node.children:
            self._bridges[node] = number
            self._decide(port, node)
            return StandIn(node.path, Kind.BRIDGE, path)
        function = port.child("device@0,0")
        if len(node.cells("reg")) >= 5:
            function.set("reg", cells(number << 16, 0, 0, 0, 0))
        self._decide(function, node)
        return StandIn(node.path, Kind.FUNCTION, f"{path}/device@0,0")

    def _port(self, number: int) -> OverlayNode:
        """The node of a root port of the machine."""
        host = self._targets.setdefault(HOST_BRIDGE, OverlayNode())
        port = host.child(f"pcie@{number},0")
        port.set("device_type", '"pci"')
        port.set("reg", cells(number << 11, 0, 0, 0, 0))
        port.set("#address-cells", cells(3))
        port.set("#size-cells", cells(2))
        port.set("ranges")
        return port

    def _below_bus(self, node: FlatNode, above: FlatNode, inner: str, remark: str) -> StandIn:
        """A platform device *inner* on a bus that reaches what those of *above* do."""
        name = self._free_bus(above)
        bus = self._targets["/"].child(name)
        bus.set("compatible", '"simple-bus"')
        bus.set("#address-cells", cells(2))
        bus.set("#size-cells", cells(2))
        bus.set("ranges")
        windows = moved_windows(above, self._tree, self._addresses, self._kernel)
        if windows is not None:
            bus.set("dma-ranges", ", ".join(cells(*one, width=2) for one in windows))
        if safe_name(inner) in bus.children:
            inner = f"{len(bus.children)}-{inner}"
        device = bus.child(inner)
        device.set("compatible", f'"{PROBE}"')
        self._decide(device, node)
        return StandIn(node.path, Kind.PLATFORM, f"/{name}/{inner}", remark)

    def _free_bus(self, above: FlatNode) -> str:
        """The name of the bus that stands for *above*: of no other node, and of no PCI bus."""
        number = self._behind.setdefault(above, len(self._behind))
        return (
            f"behind-{number}-{safe_name(above.name)}"
            if number
            else f"behind-{safe_name(above.name)}"
        )

    # virtio-mmio

    def _is_transport(self, node: FlatNode) -> bool:
        """Whether one of QEMU's transports can be the device."""
        return (
            node.is_compatible(VIRTIO_MMIO)
            and self._next_transport < TRANSPORTS
            and not any(bus.properties.get("dma-ranges") for bus in _buses(node))
            and all(any(map(one.is_compatible, BUSES)) for one in _buses(node))
        )

    def _transport(self, node: FlatNode) -> StandIn:
        path = f"/virtio_mmio@{FIRST_TRANSPORT + self._next_transport * TRANSPORT_SIZE:x}"
        self._next_transport += 1
        target = self._targets.setdefault(path, OverlayNode())
        self._decide(target, node)
        remark = "" if "dma-coherent" in node.properties else "dma-coherent here"
        return StandIn(node.path, Kind.VIRTIO, path, remark)

    # platform devices

    def _platform(self, node: FlatNode) -> StandIn:
        target, path = self._mirror(node)
        if "compatible" in node.properties:
            buses = [word for word in BUSES if node.is_compatible(word)]
            target.set("compatible", ", ".join(f'"{word}"' for word in (PROBE, *buses)))
        self._refer(target, node)
        remark = "an AMBA device there" if node.is_compatible("arm,primecell") else ""
        return StandIn(node.path, Kind.PLATFORM, path, remark)

    def _mirror(self, node: FlatNode) -> tuple[OverlayNode, str]:
        """The node with those above it, as far as the kernel's decision depends on them."""
        if node.parent is None or node.parent.parent is None:
            parent, above = self._targets["/"], ""
            name = _free_name(node.name)
        else:
            parent, above = self._mirror(node.parent)
            name = node.name
        target = parent.child(name)
        if "compatible" in node.properties:
            kept = [word for word in (*BUSES, PM_BUS, SKIPPED) if node.is_compatible(word)]
            if "compatible" not in target.properties:
                target.set("compatible", ", ".join(f'"{word}"' for word in kept or [IDLE]))
        for kept_as_is in COPIED:
            if kept_as_is in node.properties:
                target.set(kept_as_is, raw(node.properties[kept_as_is]))
        if is_pci_bus(node) and any(map(node.is_compatible, BUSES)):
            target.set("device_type", '"pci"')  # also if it has another name here
        if "ranges" in node.properties:
            target.set("ranges")
        if "dma-ranges" in node.properties:
            target.set("dma-ranges", moved_dma_ranges(node, self._addresses))
        return target, f"{above}/{safe_name(name)}"

    # what decides over the pool of a device

    def _decide(self, target: OverlayNode, node: FlatNode) -> None:
        self._refer(target, node)
        if "status" in node.properties:
            target.set("status", raw(node.properties["status"]))

    def _refer(self, target: OverlayNode, node: FlatNode) -> None:
        """Give *target* the memory-region of *node*."""
        data = node.properties.get(REGION)
        if data is None:
            return
        if len(data) % 4:
            target.set(REGION, raw(data))
            return
        found = [self._reference(phandle) for phandle in node.cells(REGION)]
        target.set(REGION, ", ".join(found))

    def _reference(self, phandle: int) -> str:
        node = self._tree.by_phandle.get(phandle)
        if node is None:
            return cells(DANGLING)
        label = self._labels.get(node.path)
        if label is None:
            self._labels[node.path] = label = f"elsewhere_{len(self._labels)}"
            target = self._targets["/"].child(ELSEWHERE).child(node.name)
            target.label = label
            if node.is_compatible(RESTRICTED):
                target.set("compatible", f'"{RESTRICTED}"')
        return f"<&{label}>"


DANGLING = 0x6E6F_6E65
"""A phandle that no node of the machine has."""


def _buses(node: FlatNode) -> Iterator[FlatNode]:
    above = node.parent
    while above is not None and above.parent is not None:
        yield above
        above = above.parent


def _free_name(name: str) -> str:
    """*name*, or another if the machine has a node of that name below the root."""
    return f"board-{name}" if name.partition("@")[0] in MACHINES_OWN else name
