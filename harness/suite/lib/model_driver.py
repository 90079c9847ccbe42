# SPDX-License-Identifier: Apache-2.0
"""DMA API calls on a guest, each checked against the reference model and recorded in a script."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from harness.base.errors import GuestHang
from harness.devices.probe import (
    AllocCall,
    Attr,
    Call,
    Direction,
    DmaError,
    MapCall,
    Probe,
    Setting,
    SgEntry,
    Space,
    SyncTarget,
    calls,
)
from harness.devices.probe.model import BufferPart, CpuBuffer, PoolModel
from harness.devices.probe.model_slots import AddressRules
from harness.kernel import SLOT
from harness.machine.devicetree import Pool
from harness.machine.qemu.guest import Guest
from harness.observe.memory import LiveMemory
from harness.plugin.counters import PoolCounters
from harness.suite.lib.model_script import Script
from harness.suite.lib.model_things import (
    BUFFER,
    DEFAULT,
    LARGEST,
    UNKNOWN,
    LiveAllocation,
    LiveMapping,
    Target,
)

PASTE = (
    "These calls reproduce it on the machine that is named below; run 'rogue plug' first if they "
    "have an endpoint, then paste them below 'python':"
)


class Driver:
    """Makes calls for *devices*: name in scripts -> name in sysfs, and pool."""

    def __init__(
        self, guest: Guest, memory: LiveMemory, devices: Mapping[str, tuple[str, Pool]]
    ) -> None:
        probe = Probe(guest.agent)
        self._memory = memory
        self._session = probe.session
        self._buffer = probe.buffer(BUFFER)
        self.cpu = CpuBuffer(self._buffer.phys, bytearray(BUFFER))
        pools = dict.fromkeys(pool for _, pool in devices.values())
        geometry = guest.machine.geometry
        self.page = geometry.page
        self._largest = min(geometry.slot_set, LARGEST)
        self.pools = {pool: PoolModel(pool.base, bytes(pool.size), geometry) for pool in pools}
        self._counters = {pool: PoolCounters(guest.agent, pool.name) for pool in pools}
        self.targets = [
            Target(name, probe.device(known), self.pools[pool], UNKNOWN)
            for name, (known, pool) in devices.items()
        ]
        self.mappings: list[LiveMapping] = []
        self.allocations: list[LiveAllocation] = []
        self.begin()
        for target in self.targets:
            self.set_rules(target, DEFAULT)

    def begin(self) -> None:
        """Start a new script: nothing is mapped, and buffer and pools hold random bytes."""
        lines = [f'{one.name} = probe.device("{one.device.name}")' for one in self.targets]
        self.script = Script([f"buffer = probe.buffer({BUFFER})", *lines])
        self.cpu_write(0, BUFFER)
        for pool in self.pools.values():
            self.device_write(pool, 0, len(pool.content))

    @contextmanager
    def noting_script(self) -> Iterator[None]:
        """Add the script to an exception as a note."""
        try:
            yield
        except Exception as error:
            error.add_note(f"{PASTE}\n\n{self.script}")
            raise

    def map(
        self,
        target: Target,
        call: MapCall,
        part: tuple[int, int],
        direction: Direction,
        *,
        attrs: Attr = Attr.DEFAULT,
        times: int = 1,
    ) -> None:
        """Map a part of the buffer (offset and size) *times* times."""
        offset, size = part
        handles = [self._session.take_handle(Space.MAPPING) for _ in range(times)]
        buffer, device = self._buffer.handle, target.device.id
        quiet = attrs | Attr.NO_WARN
        outcomes = self._take(
            calls.map_buffer(handle, device, call, buffer, offset, size, direction, quiet)
            for handle in handles
        )
        line = f"{target.name}.map_{call.name.lower()}(buffer, {_direction(direction)}, " + (
            f"offset={offset}, size={size}{_attrs(attrs)})"
        )
        piece = BufferPart(self.cpu, offset, size)
        for handle, outcome in zip(handles, outcomes, strict=True):
            name = self.script.add_result("m", line, outcome)
            if isinstance(outcome, DmaError):
                self._session.return_handle(Space.MAPPING, handle)
                target.pool.refuse_map([piece], target.rules)
            else:
                bounce = target.pool.map(piece, direction, target.rules, outcome.dma_addr)
                self.mappings.append(LiveMapping(name, handle, target, (bounce,)))
        self._check(target)

    def map_sg(
        self, target: Target, parts: Sequence[tuple[int, int]], direction: Direction
    ) -> None:
        """Map a scatterlist of parts of the buffer (offset and size)."""
        handle = self._session.take_handle(Space.MAPPING)
        entries = [SgEntry(self._buffer.handle, offset, size) for offset, size in parts]
        (outcome,) = self._take(
            [calls.map_sg(handle, target.device.id, entries, direction, Attr.NO_WARN)]
        )
        slices = ", ".join(f"Slice(buffer, {offset}, {size})" for offset, size in parts)
        name = self.script.add_result(
            "m", f"{target.name}.map_sg([{slices}], {_direction(direction)})", outcome
        )
        pieces = [BufferPart(self.cpu, offset, size) for offset, size in parts]
        if isinstance(outcome, DmaError):
            self._session.return_handle(Space.MAPPING, handle)
            target.pool.refuse_map_sg(pieces, target.rules, self._content(target.pool))
        else:
            bounces = target.pool.map_sg(pieces, direction, target.rules, outcome)
            self.mappings.append(LiveMapping(name, handle, target, bounces, scattered=True))
        self._check(target)

    def unmap(self, mappings: Sequence[LiveMapping], attrs: Attr = Attr.DEFAULT) -> None:
        """Unmap *mappings*, which must be distinct."""
        self._make(calls.unmap(mapping.handle, attrs) for mapping in mappings)
        for mapping in mappings:
            self.script.add(f"{mapping.name}.unmap({f'Attr.{attrs.name}' if attrs else ''})")
            for bounce in mapping.bounces:
                mapping.target.pool.unmap(bounce, attrs)
            self.mappings.remove(mapping)
            self._session.return_handle(Space.MAPPING, mapping.handle)
        self._check(*(mapping.target for mapping in mappings))

    def sync(self, mapping: LiveMapping, target: SyncTarget, offset: int, length: int) -> None:
        """Sync a range of a mapping; a scatterlist is synced as a whole."""
        whole = mapping.scattered
        self._make([calls.sync(mapping.handle, target, *((0, 0) if whole else (offset, length)))])
        arguments = "" if whole else f"{offset}, {length}"
        self.script.add(f"{mapping.name}.sync_for_{target.name.lower()}({arguments})")
        pool = mapping.target.pool
        if whole:
            pool.sync_sg(mapping.bounces, target)
        else:
            pool.sync(mapping.bounces[0], target, offset, length)
        self._check(mapping.target)

    def allocate(self, target: Target, call: AllocCall, size: int, *, times: int = 1) -> None:
        """Allocate memory *times* times."""
        handles = [self._session.take_handle(Space.ALLOCATION) for _ in range(times)]
        outcomes = self._take(
            calls.alloc(handle, target.device.id, call, size) for handle in handles
        )
        for handle, outcome in zip(handles, outcomes, strict=True):
            line = f"{target.name}.alloc(AllocCall.{call.name}, {size})"
            name = self.script.add_result("a", line, outcome)
            if isinstance(outcome, DmaError):
                self._session.return_handle(Space.ALLOCATION, handle)
                target.pool.refuse_allocation(call, size, target.rules)
            else:
                held = target.pool.allocate(call, size, target.rules, outcome.dma_addr)
                self.allocations.append(LiveAllocation(name, handle, target, held))
        self._check(target)

    def free(self, allocations: Sequence[LiveAllocation]) -> None:
        """Free *allocations*, which must be distinct."""
        self._make(calls.free(allocation.handle) for allocation in allocations)
        for allocation in allocations:
            self.script.add(f"{allocation.name}.free()")
            allocation.target.pool.free(allocation.held)
            self.allocations.remove(allocation)
            self._session.return_handle(Space.ALLOCATION, allocation.handle)
        self._check(*(allocation.target for allocation in allocations))

    def set_rules(self, target: Target, rules: AddressRules) -> None:
        """Set min_align_mask and segment boundary of the device, which must have no mappings."""
        before, wanted = _settings(target.rules), _settings(rules)
        changes = {one: wanted[one] for one in wanted if wanted[one] != before[one]}
        device = target.device.id
        self._make(calls.device_set(device, setting, mask) for setting, mask in changes.items())
        for setting, mask in changes.items():
            self.script.add(f"{target.name}.set_{setting.name.lower()}({mask:#x})")
        target.rules = rules

    def cpu_write(self, offset: int, length: int) -> None:
        """The CPU fills a part of its buffer with random bytes."""
        data = self.script.random_bytes(f"buffer.phys + {offset}", length)
        self._memory.write(self.cpu.phys + offset, data)
        self.cpu.content[offset : offset + length] = data

    def device_write(self, pool: PoolModel, at: int, length: int) -> None:
        """A device fills a part of a pool, *at* bytes from its base, with random bytes."""
        data = self.script.random_bytes(f"{pool.base + at:#x}", length)
        self._memory.write(pool.base + at, data)
        pool.device_write(at, data)

    def count(self) -> None:
        """Check the kernel's count of slots in use."""
        self.script.add("# the kernel counts the slots in use")
        for pool, model in self.pools.items():
            model.check_used(self._counters[pool].used)

    def fill(self, mapping: LiveMapping) -> None:
        """The device fills all of a mapping with random bytes."""
        for bounce in mapping.bounces:
            self.device_write(mapping.target.pool, bounce.at, bounce.size)

    def rewind(self) -> None:
        """Unmap and free everything, and have the kernel search from each pool's base again.

        The kernel's search begins at the end of its last mapping (kernel/dma/swiotlb.c, 6.12:
        area->index), so the last mapping here ends where the pool ends. It uses all of the pool on
        the way, and so finds slots that a script has left in use.
        """
        self.unmap(list(self.mappings))
        self.free(list(self.allocations))
        for target in self.targets:
            self.set_rules(target, DEFAULT)
        for pool in self.pools.values():
            user = next(target for target in self.targets if target.pool is pool)
            self._use_all(user, pool)

    def _use_all(self, target: Target, pool: PoolModel) -> None:
        many, rest = divmod(pool.slots.count, self._largest // SLOT)
        single, whole, out = MapCall.SINGLE, (0, self._largest), Direction.TO_DEVICE
        if many:
            self.map(target, single, whole, out, times=many)
        if rest:
            self.map(target, single, (0, rest * SLOT), out)
        else:
            end = len(pool.content) - self._largest
            self.unmap([one for one in self.mappings if one.bounces[0].at == end])
            self.map(target, single, whole, out)
        self.unmap(list(self.mappings))

    def _take(self, some: Iterable[Call[Any]]) -> list[Any]:
        """Make calls that take slots: a guest that hangs in one violates B12."""
        try:
            return self._make(some)
        except GuestHang as error:
            error.properties = ("B12",)
            raise

    def _make(self, some: Iterable[Call[Any]]) -> list[Any]:
        return self._session.outcomes(list(some))

    def _content(self, pool: PoolModel) -> bytes:
        return self._memory.read(pool.base, len(pool.content))

    def _check(self, *targets: Target) -> None:
        for pool in self.pools.values():
            pool.check(self._content(pool))
        for pool in {target.pool for target in targets}:
            pool.check_buffer(self.cpu, self._memory.read(self.cpu.phys, BUFFER))
            pool.settle()


def _settings(rules: AddressRules) -> dict[Setting, int]:
    return {
        Setting.MIN_ALIGN_MASK: rules.min_align_mask,
        Setting.SEG_BOUNDARY: rules.seg_boundary,
    }


def _direction(direction: Direction) -> str:
    return f"Direction.{direction.name}"


def _attrs(attrs: Attr) -> str:
    return f", attrs=Attr.{attrs.name}" if attrs else ""
