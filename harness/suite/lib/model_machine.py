# SPDX-License-Identifier: Apache-2.0
"""Random DMA API calls by Hypothesis; the driver makes and checks them."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from hypothesis import HealthCheck, Phase, Verbosity, seed, settings
from hypothesis import strategies as st
from hypothesis.configuration import set_hypothesis_home_dir
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.errors import Flaky
from hypothesis.internal.conjecture import engine
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from harness.base.errors import GuestHang
from harness.base.paths import cache_directory
from harness.devices.probe import AllocCall, Attr, Direction, MapCall, SyncTarget
from harness.devices.probe.model_slots import AddressRules
from harness.kernel import SLOT
from harness.suite.lib.model_things import LARGEST, Target
from harness.suite.lib.model_world import World

T = TypeVar("T")

MOST_OFFSET = 128 * 1024

PAGE = 2 * SLOT
"""Bytes of the smallest page that a kernel may have."""

SMALL_EDGES = (1, SLOT, PAGE, 2 * PAGE)
LARGE_EDGES = (4 * PAGE, 32 * SLOT, 64 * SLOT, LARGEST)
"""Sizes at which bugs are likely, one byte less and one more: slots, pages and slot sets."""

MASKS = (0, 0x1FF, 0xFFF, 0xFFFF)
"""min_align_mask: none, a disk's sector, a page of NVMe's, and 64 KiB."""

BOUNDARIES = (0xFFFF_FFFF, 0xFFFF, 0x1_FFFF)
"""Segment boundaries: the default, and two that are smaller than the largest mapping."""

numbers = st.integers(0, 1 << 16)
"""Chooses one of several things whose number is not known in advance."""


def _near(edge: int, more: int) -> int:
    return max(1, edge + more)


offsets = (
    st.sampled_from((0, 1, 100, SLOT - 1, SLOT, SLOT + 100, PAGE))
    | st.integers(0, 4 * PAGE)
    | st.integers(0, MOST_OFFSET)
)
sizes = (
    st.builds(_near, st.sampled_from(SMALL_EDGES), st.integers(-1, 1))
    | st.integers(1, 4 * PAGE)
    | st.builds(_near, st.sampled_from(LARGE_EDGES), st.integers(-1, 1))
    | st.integers(1, LARGEST)
)
parts = st.tuples(offsets, sizes)
near_slots = st.sampled_from((-1, 0, 1, -100, 100)) | st.integers(-SLOT, SLOT)
"""Offsets of a sync from a multiple of 2 KiB in its mapping; slots begin elsewhere if the mapping
keeps bits of a min_align_mask."""
directions = st.sampled_from([Direction.BIDIRECTIONAL, Direction.TO_DEVICE, Direction.FROM_DEVICE])
attributes = st.sampled_from([Attr.DEFAULT, Attr.DEFAULT, Attr.SKIP_CPU_SYNC])
allocators = st.sampled_from(
    [AllocCall.COHERENT, AllocCall.PAGES, AllocCall.NONCOHERENT, AllocCall.NONCONTIGUOUS]
)
few = st.integers(1, 6)
times = few | st.sampled_from((16, 64))
limits = st.builds(AddressRules, st.sampled_from(MASKS), st.sampled_from(BOUNDARIES))


@dataclass(frozen=True)
class Scope:
    """The calls that are tried, without those of known findings (docs/findings.md)."""

    masks: bool = True
    """min_align_mask: 6.1-endless-search and 6.1-partial-sync."""

    orders: bool = True
    """Allocations of more than a page: 6.1-page-order."""

    by_phys: bool = True
    """dma_map_phys(), which older kernels do not have."""


class _Hung(BaseException):
    """Ends the search, because Hypothesis would shrink a hang by waiting for guest after guest.

    It is not an Exception, which Hypothesis would count as a failure.
    """

    def __init__(self, hang: GuestHang) -> None:
        super().__init__(hang)
        self.hang = hang


class PoolCalls(RuleBasedStateMachine):
    """Random DMA API calls for random devices, with rogue writes in between."""

    def __init__(self, world: World, scope: Scope) -> None:
        super().__init__()
        self._world = world
        self._scope = scope
        self._failed = False
        self.driver = world.driver()

    @initialize(limits=st.lists(limits, min_size=1, max_size=3))
    def set_rules(self, limits: list[AddressRules]) -> None:
        """Give the devices limits, at the beginning of each sequence of calls."""
        with self._noting_script():
            for target, rules in zip(self.driver.targets, limits, strict=False):
                mask = rules.min_align_mask if self._scope.masks else 0
                self.driver.set_rules(target, AddressRules(mask, rules.seg_boundary))

    @rule(
        which=numbers,
        call=st.sampled_from(MapCall),
        part=parts,
        direction=directions,
        attrs=attributes,
        times=times,
    )
    def map(
        self,
        which: int,
        call: MapCall,
        part: tuple[int, int],
        direction: Direction,
        attrs: Attr,
        times: int,
    ) -> None:
        """Map a part of the buffer."""
        if call is MapCall.PHYS and not self._scope.by_phys:
            call = MapCall.PAGE
        with self._noting_script():
            self.driver.map(self._target(which), call, part, direction, attrs=attrs, times=times)

    @rule(
        which=numbers,
        some=st.lists(parts, min_size=1, max_size=4),
        direction=directions,
    )
    def map_sg(self, which: int, some: list[tuple[int, int]], direction: Direction) -> None:
        """Map a scatterlist."""
        with self._noting_script():
            self.driver.map_sg(self._target(which), some, direction)

    @precondition(lambda self: self.driver.mappings)
    @rule(which=numbers, times=few, attrs=attributes, written=st.booleans())
    def unmap(self, which: int, times: int, attrs: Attr, written: bool) -> None:
        """Unmap a few mappings; if *written*, the device writes into them before."""
        with self._noting_script():
            mappings = _some(self.driver.mappings, which, times)
            for mapping in mappings if written else ():
                self.driver.fill(mapping)
            self.driver.unmap(mappings, attrs)

    @precondition(lambda self: self.driver.mappings)
    @rule(
        which=numbers,
        whose=st.sampled_from(SyncTarget),
        slot=numbers,
        at=near_slots,
        length=sizes,
    )
    def sync(self, which: int, whose: SyncTarget, slot: int, at: int, length: int) -> None:
        """Sync a range that begins near a slot boundary, after the other side wrote all of it."""
        with self._noting_script():
            mapping = self.driver.mappings[which % len(self.driver.mappings)]
            part = mapping.bounces[0].part
            if whose is SyncTarget.CPU:
                self.driver.fill(mapping)
            else:
                self.driver.cpu_write(part.offset, part.size)
            begin = slot % -(-part.size // SLOT) * SLOT + at
            self.driver.sync(mapping, whose, *_within(part.size, begin, length))

    @rule(which=numbers, call=allocators, size=sizes, times=times)
    def allocate(self, which: int, call: AllocCall, size: int, times: int) -> None:
        """Allocate memory, with a mask below a page (docs/findings.md, large-mask-skips-pages)."""
        target = self._target(which)
        if target.rules.min_align_mask < self.driver.page:
            with self._noting_script():
                most = size if self._scope.orders else min(size, self.driver.page)
                self.driver.allocate(target, call, most, times=times)

    @precondition(lambda self: self.driver.allocations)
    @rule(which=numbers, times=few)
    def free(self, which: int, times: int) -> None:
        """Free a few allocations."""
        with self._noting_script():
            self.driver.free(_some(self.driver.allocations, which, times))

    @rule(offset=offsets, length=sizes)
    def cpu_write(self, offset: int, length: int) -> None:
        """Write into the CPU's buffer, whether it is mapped or not."""
        with self._noting_script():
            self.driver.cpu_write(offset, length)

    @rule(which=numbers, at=st.integers(0, 1 << 30), length=sizes)
    def rogue_write(self, which: int, at: int, length: int) -> None:
        """Write to any address in a pool, as a rogue device does."""
        with self._noting_script():
            pool = self._target(which).pool
            self.driver.device_write(pool, *_within(len(pool.content), at, length))

    def teardown(self) -> None:
        """Unmap and free everything, which must leave no slot in use."""
        if not self._failed:
            with self._noting_script():
                self.driver.count()
                self.driver.rewind()
                self.driver.count()

    @contextmanager
    def _noting_script(self) -> Iterator[None]:
        """Discard the guest after a failure."""
        try:
            with self.driver.noting_script():
                yield
        except Exception as error:
            self._failed = True
            self._world.record_failure(error)
            if isinstance(error, GuestHang):
                raise _Hung(error) from error
            raise

    def _target(self, which: int) -> Target:
        return self.driver.targets[which % len(self.driver.targets)]


EVERYTHING = Scope()

SHRINKING = 40
"""Seconds for shrinking a failure; the default of Hypothesis is 300."""


def run_calls(
    world: World, start: str, scope: Scope = EVERYTHING, *, examples: int, steps: int
) -> None:
    """Make *examples* sequences of *steps* calls; the seed *start* determines the calls.

    A failure is shrunk and raised with its script; a hang is raised without shrinking.
    """
    engine.MAX_SHRINKING_SECONDS = SHRINKING
    home = cache_directory() / "hypothesis"
    set_hypothesis_home_dir(home)
    factory: Callable[[], PoolCalls] = seed(start)(lambda: PoolCalls(world, scope))
    chosen = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=DirectoryBasedExampleDatabase(home / "examples"),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.reuse, Phase.generate, Phase.shrink),
        verbosity=Verbosity.quiet,
    )
    try:
        # its documentation allows a function
        run_state_machine_as_test(factory, settings=chosen)  # type: ignore[arg-type]
    except _Hung as hung:
        raise hung.hang from None
    except Flaky as flaky:
        raise world.failure or flaky from flaky


def _some(things: Sequence[T], which: int, times: int) -> list[T]:
    """Up to *times* consecutive *things*; *which* chooses the first."""
    first = which % len(things)
    return list(things[first : first + times])


def _within(size: int, at: int, length: int) -> tuple[int, int]:
    """An offset and a length that lie within *size*."""
    offset = at % size
    return offset, min(length, size - offset)
