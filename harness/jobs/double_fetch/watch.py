# SPDX-License-Identifier: Apache-2.0
"""A guest under the plugin: record the kernel's accesses to pools, by guest-physical address.

QEMU tells a plugin the "physical address" of an access. In 7.2 that is the block's offset in
QEMU's own numbering of RAM, plus where the block lies in the board's RAM, plus the place in the
block (plugins/api.c:qemu_plugin_hwaddr_phys_addr): of a machine whose RAM is cut into blocks,
neither adds up to what the guest calls physical. The pool at 0x4f000000 in 256 MiB comes out as
0x1e000000. Later versions give the guest's address. So both are tried, and the one is taken that
has seen a read of a known address.
"""

import re
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from harness.base.errors import InputError, ProtocolError
from harness.jobs.double_fetch.places import CodePlaces, watched_functions
from harness.jobs.double_fetch.ring import Access, AccessRing, Function, WatchedRange
from harness.machine.devicetree import Pool
from harness.machine.layout import RAM_BASE
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.snapshot import Snapshot, restore
from harness.machine.tcg_plugin import build_plugin
from harness.observe.memory import KernelTypes, Symbols, live_memory, locate

SOURCE = Path(__file__).with_name("watch.c")

WORD = 8
"""Bytes of the read that shows how QEMU reports an address."""


class Watched:
    """A guest restored with the plugin; close it, so that nothing is left behind.

    *functions* are those whose callers the plugin sees. *extra* and *files* are as in
    :func:`restore`. Raises HostError when QEMU takes no plugins, InputError when the machine has no
    pool, and what :func:`restore` raises.
    """

    def __init__(
        self, snapshot: Snapshot, extra: tuple[str, ...] = (), files: tuple[int, ...] = ()
    ) -> None:
        machine = snapshot.machine
        plugin = str(build_plugin(machine.qemu, SOURCE)).replace(",", ",,")
        self._symbols = Symbols(machine.kernel.vmlinux)
        self._ring = AccessRing()
        self.functions: tuple[Function, ...] = ()
        try:
            option = f"file={plugin},ring={self._ring.path}"
            extra, files = (*extra, "-plugin", option), (*files, self._ring.file)
            self.guest = restore(snapshot, self._tell_functions, extra, files)
            self.guest.at_close(self._ring.close)
        except BaseException:
            self._ring.close()
            raise
        try:
            self._ring.watch(self._calibrated(), self.functions)
        except BaseException:
            self.guest.close()
            raise

    def during(self, work: Callable[[], object]) -> tuple[Access, ...]:
        """All accesses of the kernel to the pools during *work*, in their order.

        What other CPUs and interrupts do at the time is among them.
        """
        begin = self._ring.head
        self._ring.arm(True)
        try:
            work()
        finally:
            self._ring.arm(False)
        return self._ring.since(begin)

    @cached_property
    def places(self) -> CodePlaces:
        """The kernel's code; reading its DWARF takes a second or two."""
        memory = live_memory(self.guest)
        self.guest.at_close(memory.close)
        return CodePlaces(KernelTypes(memory, self._symbols), self.guest.agent, self.functions)

    def close(self) -> None:
        """End the guest."""
        self.guest.close()

    def _tell_functions(self, guest: Guest) -> None:
        """Tell the plugin before the first instruction: it sees code when it is translated."""
        with live_memory(guest) as memory:
            slide = locate(memory, self._symbols).slide
        self.functions = watched_functions(self._symbols, slide)
        self._ring.watch((), self.functions)

    def _calibrated(self) -> tuple[WatchedRange, ...]:
        pools = self.guest.pools()
        if not pools:
            raise InputError("the machine has no restricted pool to watch; choose another --shape")
        known = -(-pools[0].base // WORD) * WORD
        ways = (_as_reported_since_8(pools), _as_reported_by_7(self.guest, pools))
        for windows in ways:
            self._ring.watch(windows, self.functions)
            if any(access.address == known for access in self.during(lambda: self._read(known))):
                return windows
        raise ProtocolError(
            f"the plugin did not see a read of {known:#x} by the guest at that address: "
            f"{self.guest.machine.qemu.banner} reports addresses in an unknown way"
        )

    def _read(self, address: int) -> None:
        ran = self.guest.agent.run(
            f"dd if=/dev/mem of=/dev/null bs={WORD} count=1 skip={address // WORD}"
        )
        if ran.status:
            raise InputError(
                f"the guest cannot read {address:#x} through /dev/mem, which shows how QEMU "
                f"reports addresses: {ran.text.strip()}. Set CONFIG_DEVMEM=y and leave "
                "CONFIG_STRICT_DEVMEM out"
            )


def _as_reported_since_8(pools: tuple[Pool, ...]) -> tuple[WatchedRange, ...]:
    return tuple(WatchedRange(pool.base, pool.size, reported=pool.base) for pool in pools)


def _as_reported_by_7(guest: Guest, pools: tuple[Pool, ...]) -> tuple[WatchedRange, ...]:
    offsets = _block_offsets(guest)
    windows = []
    for pool in pools:
        for number, block in enumerate(guest.machine.blocks):
            if block.contains(pool.base):
                reported = offsets[f"ram{number}"] + pool.base - RAM_BASE
                windows.append(WatchedRange(pool.base, pool.size, reported))
    return tuple(windows)


def _block_offsets(guest: Guest) -> dict[str, int]:
    """Where each memory backend begins in QEMU's numbering of RAM (HMP ``info ramblock``)."""
    answer = guest.monitor.hmp("info ramblock")
    rows = re.findall(r"^\s*(?:/objects/)?(ram\d+)\s+\d+ \w+\s+(0x[0-9a-f]+)", answer, re.MULTILINE)
    if not rows:
        raise ProtocolError(f"QEMU does not say where its blocks of RAM are: {answer.strip()!r}")
    return {name: int(offset, 16) for name, offset in rows}
