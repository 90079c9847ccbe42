# SPDX-License-Identifier: Apache-2.0
"""Compare the cache maintenance of one DMA API call with what the call must do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from harness.base.address_range import AddressRange
from harness.base.violation import PropertyViolated
from harness.devices.oracles.caches import Duty, Handover, lines, maintained, neglected
from harness.machine.fence import CacheLog, CacheOperation, cache_log
from harness.machine.fence.cache_log import CACHE_LOG_SIZE, Bounced, bounced_table, line_hash
from harness.machine.fence.firmware import BOUNCED_TABLE
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
    _originals: Mapping[int, int] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self, *bounced: Bounced) -> None:
        """Note where the log ends. *bounced*: ranges of the pool, and where their originals are.

        The content of the originals is compared with what it is when an invalidate is completed.
        """
        self._before = self._log()
        whole = [_in_lines(one, self._before.line_size) for one in bounced]
        self.guest.qtest.write(BOUNCED_TABLE, bounced_table(whole))
        self._originals = {
            line: self._hash(one.original + line - one.base)
            for one in whole
            for line in lines(one, self._before.line_size)
        }

    def cleaned(self, call: str, *ranges: AddressRange) -> None:
        """*call* cleaned all lines of *ranges*, with what is in them now, and no other lines."""
        handed = [line for one in ranges for line in lines(one, self._before.line_size)]
        self._judge(call, Duty.CLEAN, ranges, {line: self._hash(line) for line in handed})

    def invalidated(self, call: str, *ranges: AddressRange) -> None:
        """*call* invalidated all lines of *ranges*, and then copied to their originals."""
        self._judge(call, Duty.INVALIDATE, ranges, self._originals)

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
        return self._log().since(self._before)

    def _log(self) -> CacheLog:
        firmware = self.guest.machine.firmware
        assert firmware is not None, "a machine without firmware"
        assert firmware.cache_log is not None, "its firmware logs no cache maintenance"
        size = self.guest.machine.cpus * CACHE_LOG_SIZE
        return cache_log(self.guest.qtest.read(firmware.cache_log.base, size))

    def _hash(self, line: int) -> int:
        return line_hash(self.memory.read(line, self._before.line_size))


def _in_lines(one: Bounced, line_size: int) -> Bounced:
    """*one* from the beginning of a line on."""
    more = one.base % line_size
    assert one.original % line_size == more, f"{one} has another offset in its line"
    return Bounced(one.base - more, one.size + more, one.original - more)
