# SPDX-License-Identifier: Apache-2.0
"""The reference model of a restricted pool: what it and the CPU's buffers hold after every call.

Tell the model of each call and of the kernel's answer, in order: it raises PropertyViolated at an
answer that no kernel may give. Show it memory now and then: it raises PropertyViolated for a byte
that is not what the calls have made of it. Read in Linux 6.12: kernel/dma/swiotlb.c and direct.c.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.base.hex_repr import hex_repr
from harness.base.violation import PropertyViolated, violated
from harness.devices.probe.answers import Segment
from harness.devices.probe.model_slots import AddressRules, Demand, Slots, allocated, streaming
from harness.devices.probe.values import AllocCall, Attr, Direction
from harness.devices.probe.wire import SyncTarget
from harness.kernel import SLOT, Geometry

COPIED_TO = {
    SyncTarget.CPU: (Direction.FROM_DEVICE, Direction.BIDIRECTIONAL),
    SyncTarget.DEVICE: (Direction.TO_DEVICE, Direction.BIDIRECTIONAL),
}
"""For which directions a sync copies at all."""


@hex_repr
@dataclass(eq=False)
class CpuBuffer:
    """A buffer of the CPU's at guest-physical *phys*, and what it holds."""

    phys: int
    content: bytearray


@dataclass(frozen=True)
class BufferPart:
    """A part of a buffer that is mapped as one piece; *offset* and *size* in bytes."""

    buffer: CpuBuffer
    offset: int
    size: int

    @property
    def phys(self) -> int:
        """Where it begins."""
        return self.buffer.phys + self.offset


@dataclass(frozen=True, eq=False)
class UsedMemory:
    """Memory of the pool that is in use: *size* bytes, *at* bytes from the pool's base."""

    what: str
    at: int
    size: int
    slots: range


@dataclass(frozen=True, eq=False)
class Bounce(UsedMemory):
    """One mapped piece of CPU memory, and its copy in the pool."""

    part: BufferPart
    direction: Direction
    rules: AddressRules


class PoolModel:
    """The pool at [*base*, *base* + *size*), which holds *content* while nothing is mapped.

    Bytes in free slots keep their content or become zero: a kernel may scrub them, but not write
    other data there (B6).
    """

    def __init__(self, base: int, content: bytes, geometry: Geometry) -> None:
        self.base = base
        self.content = bytearray(content)
        self.slots = Slots(base, len(content), geometry)
        self._page = geometry.page
        self.held: list[UsedMemory] = []
        self._touched: list[UsedMemory] = []
        self._suspects: set[str] = set()

    def map(
        self, part: BufferPart, direction: Direction, rules: AddressRules, dma_addr: int
    ) -> Bounce:
        """A mapping was made: its bytes are the CPU's, whatever the direction (B3)."""
        demand = self._streaming(part, rules)
        slots = self.slots.take(demand, dma_addr)
        at = dma_addr - self.base
        bounce = Bounce(demand.what, at, part.size, slots, part, direction, rules)
        self.held.append(bounce)
        self._copy_in(bounce, 0, part.size)
        self._suspect(bounce, "B3")
        return bounce

    def map_sg(
        self,
        parts: Sequence[BufferPart],
        direction: Direction,
        rules: AddressRules,
        segments: Sequence[Segment],
    ) -> tuple[Bounce, ...]:
        """A scatterlist was mapped: every entry by itself, in its order (B2)."""
        if [segment.length for segment in segments] != [part.size for part in parts]:
            raise violated(f"{parts} were mapped as {segments}", "B2")
        pairs = zip(parts, segments, strict=True)
        return tuple(self.map(part, direction, rules, one.dma_addr) for part, one in pairs)

    def refuse_map_sg(
        self, parts: Sequence[BufferPart], rules: AddressRules, content: bytes
    ) -> None:
        """As :meth:`refuse_map`; what was mapped until then has left its bytes in free slots."""
        self.refuse_map(parts, rules)
        for slot in self.slots.all_free():
            at = slot * SLOT
            self.content[at : at + SLOT] = content[at : at + SLOT]

    def refuse_map(self, parts: Sequence[BufferPart], rules: AddressRules) -> None:
        """A mapping of *parts* found no room: right only if there can have been none (B13)."""
        self.slots.refuse([self._streaming(part, rules) for part in parts])

    def unmap(self, bounce: Bounce, attrs: Attr = Attr.DEFAULT) -> None:
        """A mapping ended: it is copied to the CPU as its direction (B5) and *attrs* (B14) say."""
        if Attr.SKIP_CPU_SYNC in attrs:
            self._suspect(bounce, "B14")
        else:
            self._sync(bounce, SyncTarget.CPU, 0, bounce.size, "B5")
        self._let_go(bounce)

    def sync(self, bounce: Bounce, target: SyncTarget, offset: int, length: int) -> None:
        """A range of a mapping was synced: just that is copied, if the direction has it at all."""
        whole = "C1" if target is SyncTarget.CPU else "C2"
        partial = "C4" if bounce.rules.min_align_mask else "C3"
        self._sync(bounce, target, offset, length, whole if length == bounce.size else partial)

    def sync_sg(self, bounces: Sequence[Bounce], target: SyncTarget) -> None:
        """A whole scatterlist was synced: each of its entries is (C8), as if by itself."""
        for bounce in bounces:
            self.sync(bounce, target, 0, bounce.size)
            self._suspect(bounce, "C8")

    def allocate(
        self, call: AllocCall, size: int, rules: AddressRules, dma_addr: int
    ) -> UsedMemory:
        """Memory was allocated: all of its pages are zero (D1)."""
        demand = allocated(size, rules, self._page, _inside_id(call))
        slots = self.slots.take(demand, dma_addr)
        held = UsedMemory(demand.what, dma_addr - self.base, demand.length, slots)
        self.held.append(held)
        self.content[held.at : held.at + held.size] = bytes(held.size)
        self._suspect(held, demand.inside_id)
        return held

    def refuse_allocation(self, call: AllocCall, size: int, rules: AddressRules) -> None:
        """An allocation found no room: right only if there was none."""
        self.slots.refuse([allocated(size, rules, self._page, _inside_id(call))])

    def free(self, held: UsedMemory) -> None:
        """An allocation was freed."""
        self._suspect(held, "D6")
        self._let_go(held)

    def device_write(self, at: int, data: bytes) -> None:
        """A device wrote *data*, *at* bytes from the base, whether it may or not."""
        self.content[at : at + len(data)] = data

    def check(self, content: bytes) -> None:
        """Check *content*, the bytes of the pool."""
        if content != self.content:
            for start in range(0, len(content), SLOT):
                if content[start : start + SLOT] != self.content[start : start + SLOT]:
                    self._check_slot(start, content[start : start + SLOT])

    def check_buffer(self, buffer: CpuBuffer, content: bytes) -> None:
        """Check *content*, the bytes of a buffer of the CPU."""
        if content == buffer.content:
            return
        at = next(at for at, byte in enumerate(content) if byte != buffer.content[at])
        raise violated(
            f"the CPU's buffer holds {content[at]:02x} at offset {at} and must hold "
            f"{buffer.content[at]:02x}",
            *sorted(self._suspects),
        )

    def check_used(self, used: int) -> None:
        """Check *used*, the kernel's count of slots in use."""
        if used != self.slots.used:
            raise violated(
                f"the kernel counts {used} slots in use, and {self.slots.used} are",
                "B13" if used > self.slots.used else "E17",
            )

    def settle(self) -> None:
        """Forget which calls were made since the last time memory was looked at."""
        self._touched.clear()
        self._suspects.clear()

    def _streaming(self, part: BufferPart, rules: AddressRules) -> Demand:
        return streaming(part.phys, part.size, rules, self._page)

    def _sync(
        self, bounce: Bounce, target: SyncTarget, offset: int, length: int, broken: str
    ) -> None:
        self._suspect(bounce, broken)
        if bounce.direction not in COPIED_TO[target]:
            return
        if target is SyncTarget.DEVICE:
            self._copy_in(bounce, offset, length)
            return
        at, first = bounce.at + offset, bounce.part.offset + offset
        bounce.part.buffer.content[first : first + length] = self.content[at : at + length]

    def _copy_in(self, bounce: Bounce, offset: int, length: int) -> None:
        at, first = bounce.at + offset, bounce.part.offset + offset
        self.content[at : at + length] = bounce.part.buffer.content[first : first + length]

    def _suspect(self, held: UsedMemory, broken: str) -> None:
        self._touched.append(held)
        self._suspects.add(broken)

    def _let_go(self, held: UsedMemory) -> None:
        self.held.remove(held)
        self.slots.give_back(held.slots)

    def _check_slot(self, start: int, content: bytes) -> None:
        for at, byte in enumerate(content, start):
            if byte == self.content[at]:
                continue
            owner = next((one for one in self.held if one.at <= at < one.at + one.size), None)
            if owner is None and byte == 0:
                self.content[at] = 0
                continue
            raise self._wrong(at, byte, owner)

    def _wrong(self, at: int, byte: int, owner: UsedMemory | None) -> PropertyViolated:
        whose = f"byte {at - owner.at} of {owner.what}" if owner else "in no mapping or allocation"
        told = f"the device sees {byte:02x} at {self.base + at:#x}, {whose}"
        if owner is None:
            return violated(f"{told}, which held {self.content[at]:02x}", "B6")
        ids = sorted(self._suspects) if owner in self._touched else ["B7"]
        return violated(f"{told}, and must see {self.content[at]:02x}", *ids)


def _inside_id(call: AllocCall) -> str:
    return "D1" if call is AllocCall.COHERENT else "D2"
