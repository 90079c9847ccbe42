# SPDX-License-Identifier: Apache-2.0
"""The bytes that the kernel copies into its pools and out of them.

They are counted from outside: the plugin for double fetches records every access to a pool. Zeroing
is not seen, because QEMU executes DC ZVA, with which memset() zeroes, without accesses
(target/arm/helper-a64.c, 7.2).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence

from harness.base.errors import HostError, InputError, ProtocolError
from harness.base.progress import say
from harness.jobs.double_fetch.ring import Access, Function, Kind
from harness.jobs.double_fetch.watch import Watched
from harness.machine.qemu.snapshot import Snapshot


def watch_pools(
    snapshot: Snapshot, extra: tuple[str, ...] = (), files: tuple[int, ...] = ()
) -> Watched | None:
    """A guest whose accesses to its pools are seen; says why if that is not possible."""
    try:
        return Watched(snapshot, extra, files)
    except (HostError, InputError, ProtocolError) as fault:
        say(f"copied bytes are not counted: {fault}")
        return None


def copied_during(watched: Watched, work: Callable[[], object]) -> int:
    """The bytes that the kernel copies into pools and out of them during *work*."""
    return copied_bytes(watched.during(work), watched.functions)


def copied_bytes(accesses: Iterable[Access], functions: Sequence[Function]) -> int:
    """The bytes that *accesses* load from pools, plus those that they store to them.

    In one call of one of *functions* that copy, a byte counts once: such a function loads and
    stores the ends of a range more than once (arch/arm64/lib/memcpy.S, 6.12: 4112 bytes for 4096).
    """
    copying = [one for one in functions if one.kind is Kind.COPYING]
    calls: defaultdict[tuple[int, int, bool], set[int]] = defaultdict(set)
    others = 0
    for one in accesses:
        if any(one.pc in function for function in copying):
            addresses = range(one.address, one.address + one.size)
            calls[one.cpu, one.call, one.store].update(addresses)
        else:
            others += one.size
    return others + sum(map(len, calls.values()))
