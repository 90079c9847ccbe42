# SPDX-License-Identifier: Apache-2.0
"""What the kernel does with the caches in one DMA API call, against what it owes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.base.address_range import AddressRange
from harness.base.violation import PropertyViolated
from harness.devices.oracles.caches import Duty, Handover, lines, maintained, neglected
from harness.machine.fence import CacheLog, CacheOperation
from harness.machine.fence.cache_log import Twin, line_hash
from harness.machine.qemu.guest import Guest
from harness.observe.memory import LiveMemory

STREAMING, COHERENT = (("C10",), ("C11",)), (("D12",), ("D12",))
"""The properties of the cache operations, and of the barrier behind them."""


@dataclass
class CacheWatch:
    """Judges one call after the other: :meth:`begin`, the call, then what it must have done.

    The guest's firmware logs cache maintenance (the fixture ``logs_caches``); *pool* is the memory
    that the call hands over. Each raises PropertyViolated.
    """

    guest: Guest
    memory: LiveMemory
    pool: AddressRange
    _before: CacheLog = field(init=False)
    _twins: Mapping[int, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self, *twins: Twin) -> None:
        """Note where the log ends. *twins*: which places of a buffer belong to which of the pool.

        The content of these places is compared with what it is when an invalidate is completed.
        """
        self._before = self.guest.cache_log()
        whole = [_in_lines(one, self._before.line_size) for one in twins]
        self.guest.write_cache_twins(whole)
        self._twins = {
            line: self._hash(one.address + line - one.base)
            for one in whole
            for line in lines(one, self._before.line_size)
        }

    def cleaned(self, call: str, *ranges: AddressRange) -> None:
        """*call* cleaned all lines of *ranges*, with what is in them now, and no other lines."""
        handed = [line for one in ranges for line in lines(one, self._before.line_size)]
        self._judge(call, Duty.CLEAN, ranges, {line: self._hash(line) for line in handed})

    def invalidated(self, call: str, *ranges: AddressRange) -> None:
        """*call* invalidated all lines of *ranges*, and then copied to their twins."""
        self._judge(call, Duty.INVALIDATE, ranges, self._twins)

    def cleaned_or_invalidated(self, call: str, *ranges: AddressRange) -> None:
        """*call* left no line of *ranges* dirty."""
        self._judge(call, Duty.EITHER, ranges, {})

    def coherent(self, call: str, *ranges: AddressRange) -> None:
        """*call* left no line of *ranges*, which are coherent memory, dirty."""
        self._judge(call, Duty.EITHER, ranges, {}, COHERENT)

    def touched(self) -> tuple[AddressRange, ...]:
        """The ranges of the pool that were maintained since."""
        return maintained(self._operations(), self._before.line_size, self.pool)

    def _judge(
        self,
        call: str,
        duty: Duty,
        ranges: Sequence[AddressRange],
        contents: Mapping[int, int],
        properties: tuple[tuple[str, ...], tuple[str, ...]] = STREAMING,
    ) -> None:
        size = self._before.line_size
        handover = Handover(call, duty, tuple(ranges), size, contents, *properties)
        violations = list(neglected(handover, self._operations(), self.pool))
        if violations:
            raise PropertyViolated(*violations)

    def _operations(self) -> tuple[CacheOperation, ...]:
        return self.guest.cache_log().since(self._before)

    def _hash(self, line: int) -> int:
        return line_hash(self.memory.read(line, self._before.line_size))


def _in_lines(twin: Twin, line_size: int) -> Twin:
    """*twin* from the beginning of a line on."""
    more = twin.base % line_size
    assert twin.address % line_size == more, f"{twin} has another offset in its line"
    return Twin(twin.base - more, twin.size + more, twin.address - more)
