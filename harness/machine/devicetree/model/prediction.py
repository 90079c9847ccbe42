# SPDX-License-Identifier: Apache-2.0
"""Put it together: what a kernel makes of a devicetree."""

from dataclasses import dataclass, replace
from functools import cached_property

from harness.base.address_range import AddressRange
from harness.base.space import KIB, MIB
from harness.machine.devicetree.flat import FlatNode, FlatTree
from harness.machine.devicetree.model.attachment import SLOT, DevicePrediction, Restriction, attach
from harness.machine.devicetree.model.devices import Bus, find_devices
from harness.machine.devicetree.model.environment import Environment, KernelVersion
from harness.machine.devicetree.model.memory import CACHE_LINE, Memory, whole_pages
from harness.machine.devicetree.model.regions import Kind, Regions, ReservedNode
from harness.machine.devicetree.model.rules import RULES, Rule
from harness.machine.devicetree.model.scan import set_up_regions
from harness.machine.devicetree.model.spans import Spans

LARGEST_BLOB = 2 * MIB
"""MAX_FDT_SIZE (arch/arm64/include/asm/boot.h)."""

HUGE = 1 << 32
"""Pages of a reserved region from which on a boot takes seconds longer: 16 TiB of 4 KiB each."""

NOTHING = Environment()
BY_BOOT_LOADER = "unless the boot loader adds RAM there"
RAM_THERE = "if the boot loader adds RAM there"
RAM_SOMEWHERE = "if the boot loader adds RAM with room for it"
KERNEL = "the kernel"
"""Name of the kernel's image among what is loaded."""


@dataclass(frozen=True)
class Prediction:
    """What *kernel* makes of a devicetree, with what is *around* it.

    *fatal_early* is the rule by which it does not reach its drivers, None if it does. *fatal_later*
    is the rule by which it oopses when memory is used up.
    """

    kernel: KernelVersion
    regions: Regions
    devices: tuple[DevicePrediction, ...]
    fatal_early: Rule | None = None
    fatal_later: Rule | None = None
    around: Environment = NOTHING

    @property
    def fatal(self) -> Rule | None:
        """The rule by which it does not boot, if all devices but PCI functions have a driver."""
        certain = (one for one in self.devices if one.device.bus is not Bus.PCI)
        ends = (one.rule for one in certain if one.outcome is Restriction.NO_BOOT)
        return self.fatal_early or next(ends, None)

    @property
    def pools(self) -> tuple[ReservedNode, ...]:
        """The restricted pools that the kernel sets up."""
        return tuple(one for one in self.regions.nodes if one.kind is Kind.POOL)

    def users(self, pool: ReservedNode) -> tuple[DevicePrediction, ...]:
        """The devices that the kernel attaches to *pool*."""
        return tuple(self._users.get(pool.node, ()))

    @cached_property
    def _users(self) -> dict[FlatNode, list[DevicePrediction]]:
        found: dict[FlatNode, list[DevicePrediction]] = {}
        for one in self.devices:
            if one.pool is not None:
                found.setdefault(one.pool.node, []).append(one)
        return found


def predict(tree: FlatTree, kernel: KernelVersion, around: Environment = NOTHING) -> Prediction:
    """What *kernel* makes of *tree*."""
    regions = set_up_regions(tree, kernel, around)
    found = (attach(one, tree, regions, kernel, around) for one in find_devices(tree, kernel))
    devices = tuple(_fit(one, regions, kernel, around) for one in found)
    early = _ends_early(tree, regions, kernel)
    later = RULES["refused-unmapped"] if given_unmapped(regions) else None
    return Prediction(kernel, regions, devices, early, later, around)


def _ends_early(tree: FlatTree, regions: Regions, kernel: KernelVersion) -> Rule | None:
    """Why the kernel does not reach its drivers; None if it does."""
    if tree.size > LARGEST_BLOB:
        return RULES["blob-too-large"]
    memory = regions.memory
    if RULES["huge-region"].holds(kernel) and any(
        one.size // memory.page >= HUGE for one in memory.reserved.ranges()
    ):
        return RULES["huge-region"]
    if any(one.kind is Kind.CMA and lacks_pages(one.place, memory) for one in regions.nodes):
        return RULES["contiguous-outside-ram"]
    top = highest_free(regions)
    if top is None or memory.mapped.covers(top) or not RULES["no-map-part-of-page"].holds(kernel):
        return None
    given = any(one.overlaps(top) for one in regions.freed_unmapped)
    return RULES["refused-unmapped" if given else "no-map-part-of-page"]


def lacks_pages(place: AddressRange, memory: Memory) -> bool:
    """Whether the kernel has no ``struct page`` for a part of *place*: a section without RAM.

    arch/arm64/include/asm/sparsemem.h: a section is 512 MiB with pages of 64 KiB, else 128 MiB.
    """
    section = 512 * MIB if memory.page == 64 * KIB else 128 * MIB
    present = Spans(whole_pages(bank, section) for bank in memory.ram.ranges())
    return bool(memory.ram) and not present.covers(place)


def _free(regions: Regions) -> Spans:
    """What is neither reserved nor kept from the kernel, when the regions are set up."""
    memory, given = regions.memory, Spans(regions.freed_unmapped)
    return memory.ram.without(memory.reserved).without(memory.unmapped.without(given))


def given_unmapped(regions: Regions) -> tuple[AddressRange, ...]:
    """The pages that the page allocator gets although the kernel cannot access all of them."""
    page = regions.memory.page
    unmapped = Spans(whole_pages(one, page) for one in regions.freed_unmapped)
    return tuple(_free(regions).whole_steps(page).within(unmapped).ranges())


def highest_free(regions: Regions) -> AddressRange | None:
    """The cache line that the kernel allocates first after the regions are set up."""
    free = [one for one in _free(regions).ranges() if one.size >= CACHE_LINE]
    if not free:
        return None
    return AddressRange((free[-1].end - CACHE_LINE) // CACHE_LINE * CACHE_LINE, CACHE_LINE)


def used_part(pool: ReservedNode) -> AddressRange:
    """The bytes of the pool's slots, which the kernel zeroes."""
    return AddressRange(pool.base or 0, pool.size // SLOT * SLOT)


def _fit(
    one: DevicePrediction, regions: Regions, kernel: KernelVersion, around: Environment
) -> DevicePrediction:
    """Whether a device that is attached to a pool can use it, and whether that ends the boot.

    Without RAM in the tree that is a condition: its boot loader must add some.
    """
    pool = one.pool
    if one.outcome is not Restriction.RESTRICTED or pool is None:
        return one
    if not regions.memory.ram:
        ram = RAM_THERE if pool.base is not None else RAM_SOMEWHERE
        one = replace(one, condition="; ".join(filter(None, (one.condition, ram))))
    fatal = _ends_boot(pool, regions.memory, around)
    if fatal is not None:
        rule, why = fatal
        condition = BY_BOOT_LOADER if rule is RULES["outside-ram"] else one.condition
        ends = replace(one, outcome=Restriction.NO_BOOT, rule=rule, why=why)
        return replace(ends, condition=condition)
    found = _holds_nothing(pool, kernel)
    if found is not None:
        return replace(one, outcome=Restriction.UNFIT, rule=found[0], why=found[1])
    return one if pool.base is None else _reached(one, pool, kernel)


def _ends_boot(pool: ReservedNode, memory: Memory, around: Environment) -> tuple[Rule, str] | None:
    """Why the kernel oopses when it zeroes *pool*; None if it does not.

    A tree without memory nodes gets them from the boot loader, so nothing can be said.
    """
    used = used_part(pool)
    if not memory.ram:
        return None
    if not memory.mapped.covers(used):
        in_ram = memory.ram.covers(used)
        rule = RULES["over-nomap" if in_ram else "outside-ram"]
        return rule, f"{pool.name} at {used} is not mapped RAM"
    for one in around.loaded:
        if one.name == KERNEL and one.overlaps(used):
            return RULES["over-loaded"], f"{pool.name} lies over {one}"
    return None


def _holds_nothing(pool: ReservedNode, kernel: KernelVersion) -> tuple[Rule, str] | None:
    """Why no mapping of any device fits into *pool*; None if some do."""
    used = used_part(pool)
    if not used.size:
        return RULES["no-slot"], f"{pool.name} has no slot"
    if used.base % SLOT and RULES["slot-unaligned"].holds(kernel):
        return RULES["slot-unaligned"], f"the base {used.base:#x} is not a multiple of 2 KiB"
    return None


def _reached(one: DevicePrediction, pool: ReservedNode, kernel: KernelVersion) -> DevicePrediction:
    """Prediction for a device whose dma-ranges may not contain the whole pool."""
    used, reach = used_part(pool), one.reach
    if reach.address(used) is not None:
        return one
    part = reach.part_of(used)
    first = AddressRange(used.base, 1)
    if part and (part.covers(first) or not RULES["slot-unaligned"].holds(kernel)):
        there = " and ".join(map(str, part.ranges()))
        whole = part.covers(used)
        why = f"of {pool.name} the dma-ranges contain {there}" + (", in pieces" if whole else "")
        return replace(one, outcome=Restriction.PART, rule=RULES["partly-in-dma-ranges"], why=why)
    what = "the base of " if part else ""
    why = f"the dma-ranges do not contain {what}{pool.name}"
    return replace(one, outcome=Restriction.UNFIT, rule=RULES["beyond-dma-ranges"], why=why)
