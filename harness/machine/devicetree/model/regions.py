# SPDX-License-Identifier: Apache-2.0
"""What a node of /reserved-memory can become, and which handler takes it."""

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from harness.base.address_range import AddressRange
from harness.base.hex_repr import hex_repr
from harness.machine.devicetree.flat import FlatNode
from harness.machine.devicetree.model.environment import KernelVersion
from harness.machine.devicetree.model.memory import (
    Memory,
)
from harness.machine.devicetree.model.rules import RULES, Rule
from harness.machine.devicetree.reserved import RESTRICTED

SHARED = "shared-dma-pool"
FORBIDDEN = ("no-map", "reusable", "linux,cma-default", "linux,dma-default")
"""The kernel refuses a pool with one of these (kernel/dma/swiotlb.c:rmem_swiotlb_setup())."""


class Kind(Enum):
    """What a node of /reserved-memory became."""

    POOL = "restricted pool"
    COHERENT = "pool of coherent memory"
    CMA = "contiguous memory"
    RESERVED = "reserved memory"
    REFUSED = "refused by the kernel"
    IGNORED = "ignored by the kernel"


@hex_repr
@dataclass(frozen=True)
class ReservedNode:
    """A node of /reserved-memory and what the kernel made of it.

    *base* is None if its place is not known, and *size* 0 if it has none; *rule* says why it is not
    what it asked for. *dynamic*: the kernel places it.
    """

    node: FlatNode = field(repr=False)
    kind: Kind
    base: int | None = None
    size: int = 0
    rule: Rule | None = None
    dynamic: bool = False

    @property
    def name(self) -> str:
        """The node's name, as the kernel logs it."""
        return self.node.name

    @property
    def is_meant_as_pool(self) -> bool:
        """Whether the node asks to be a restricted pool."""
        return self.node.is_compatible(RESTRICTED)

    @property
    def place(self) -> AddressRange:
        """Its memory; empty if it has none."""
        return AddressRange(self.base or 0, self.size)


@dataclass(frozen=True)
class Regions:
    """All nodes of /reserved-memory in the order of the tree, and the memory around them.

    *lookup* is the kernel's array, in which it looks for a region; *freed* the memory of refused
    nodes, *freed_unmapped* such memory that the kernel cannot access; *log* what it prints.
    """

    nodes: tuple[ReservedNode, ...]
    lookup: tuple[ReservedNode, ...]
    memory: Memory
    freed: tuple[AddressRange, ...] = ()
    freed_unmapped: tuple[AddressRange, ...] = ()
    log: tuple[str, ...] = ()

    def of(self, node: FlatNode) -> ReservedNode | None:
        """The region of *node*; None if it is not a child of /reserved-memory."""
        return self._by_node.get(node)

    def found_for(self, target: FlatNode, kernel: KernelVersion) -> ReservedNode | None:
        """The region that the kernel finds for a reference to *target*.

        By the name since 6.12 (of_reserved_mem_lookup()), before by phandle (__find_rmem()).
        """
        if RULES["namesake"].holds(kernel):
            return self._by_name.get(target.name)
        return self._by_place.get(target)

    @cached_property
    def _by_node(self) -> dict[FlatNode, ReservedNode]:
        return {one.node: one for one in self.nodes}

    @cached_property
    def _by_place(self) -> dict[FlatNode, ReservedNode]:
        return {one.node: one for one in self.lookup}

    @cached_property
    def _by_name(self) -> dict[str, ReservedNode]:
        return {one.name: one for one in reversed(self.lookup)}


def handler_of(
    node: FlatNode, place: AddressRange, kernel: KernelVersion, pageblock: int
) -> tuple[Kind, Rule | None]:
    """What the kernel's handlers make of a region, and why it is not the pool that it asked for.

    They are asked in link order: CMA, coherent, restricted (kernel/dma/Makefile). Up to 6.18 a
    refusal lets the next one try, since 6.19 only "not mine" does (__reserved_mem_init_node()).
    """
    restricted, shared = node.is_compatible(RESTRICTED), node.is_compatible(SHARED)
    second = RULES["second-compatible"] if restricted else None
    if shared:
        kind = _shared_kind(node, place, kernel, pageblock)
        if kind is not None:
            return kind, second
    if not restricted:
        refused = shared and kernel.within("<6.19")
        return Kind.REFUSED if refused else Kind.RESERVED, None
    if any(name in node.properties for name in FORBIDDEN):
        return Kind.REFUSED, RULES["refused-flags"]
    return Kind.POOL, None


def is_contiguous(node: FlatNode) -> bool:
    """Whether a shared-dma-pool asks to be memory of the contiguous memory allocator."""
    return "reusable" in node.properties and "no-map" not in node.properties


def _shared_kind(
    node: FlatNode, place: AddressRange, kernel: KernelVersion, pageblock: int
) -> Kind | None:
    """What a shared-dma-pool becomes; None if none of its handlers takes it."""
    if is_contiguous(node):
        if place.size and not (place.base | place.size) % pageblock:
            return Kind.CMA
        return Kind.REFUSED if kernel.within(">=6.19") else None
    return None if "reusable" in node.properties else Kind.COHERENT
