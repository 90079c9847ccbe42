# SPDX-License-Identifier: Apache-2.0
"""The oracles on many guests: canaries before each runs, violations after it."""

import errno

from harness.base.errors import AgentError
from harness.base.violation import Violation
from harness.devices.oracles.inspection import (
    NO_BASELINE,
    Baseline,
    PoolLayout,
    inspect,
    prepare,
    survey,
)
from harness.devices.probe import Held, Probe
from harness.machine.qemu.guest import Guest
from harness.observe.memory import (
    KernelTypes,
    KnownTypes,
    Memory,
    PausedMemory,
    live_memory,
    require_recognised,
    reserved_regions,
)

NO_PROBE = (errno.ENOENT, errno.ENODEV, errno.ENXIO)
"""What the agent says when the probe is not loaded."""


class Examiner:
    """Reads each kernel's types and each parked guest's layout once.

    The types are its own: those of a test stay with the guest that the test chose.
    """

    def __init__(self) -> None:
        self._types = KnownTypes()
        self._layouts: dict[str, PoolLayout] = {}

    def prepare(self, guest: Guest, state: str) -> Baseline:
        """Plant canaries in the paused *guest*; guests of the same *state* have the same layout.

        A kernel without types has no canaries. Raises AddressError when the kernel's pools cannot
        be read, NotInKernel when they are not where the harness expects them.
        """
        if not guest.machine.kernel.types:
            return NO_BASELINE
        with live_memory(guest) as memory:
            if state not in self._layouts:
                self._layouts[state] = survey(self._types_on(guest, memory))
            return prepare(memory, self._layouts[state])

    def examine(self, guest: Guest, before: Baseline) -> list[Violation]:
        """The violations in a running guest that a second inspection still finds.

        A single inspection may interrupt a driver in the middle of an operation. There are none in
        a kernel without types. Raises as :meth:`prepare`, and the guest's ending or GuestHang when
        it does not answer any more.
        """
        if not guest.machine.kernel.types:
            return []
        return self._look(guest, before) and self._look(guest, before)

    def _look(self, guest: Guest, before: Baseline) -> list[Violation]:
        status = guest.monitor.execute("query-status")["status"]
        if status == "paused":
            guest.resume()
        elif status != "running":
            return []
        held = _held(guest)
        guest.pause()
        with live_memory(guest) as memory:
            violations = inspect(self._types_on(guest, PausedMemory(memory)), held, before)
        guest.resume()
        return violations

    def _types_on(self, guest: Guest, memory: Memory) -> KernelTypes:
        """The types of the guest's kernel, once they show every pool of its devicetree."""
        types, devicetree = self._types.on(guest.machine.kernel, memory), guest.machine.devicetree
        described = [pool.name for pool in devicetree.pools]
        described += [pool.name for pool in devicetree.dynamic]
        require_recognised(reserved_regions(types), described)
        return types


def _held(guest: Guest) -> tuple[Held, ...]:
    """What the probe holds: nothing, if it is not there."""
    try:
        return Probe(guest.agent).held()
    except AgentError as error:
        if error.errno in NO_PROBE:
            return ()
        raise
