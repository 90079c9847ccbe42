# SPDX-License-Identifier: Apache-2.0
"""The probe as a whole: its devices, its buffers, what it holds, and many calls at once."""

from collections.abc import Iterator, Sequence

from harness.base.errors import InputError
from harness.devices.probe import calls
from harness.devices.probe.answers import Held, Live
from harness.devices.probe.batch import Batch
from harness.devices.probe.buffer import Buffer
from harness.devices.probe.device import Device
from harness.devices.probe.pattern import Pattern
from harness.devices.probe.session import ProbeSession, StressCalls, StressOutcome
from harness.devices.probe.values import BufferKind
from harness.devices.probe.wire import HANDLES, Space
from harness.machine.qemu.agent import Agent


class Probe:
    """DMA API calls in a guest, through its agent, as a driver would make them.

    Handles belong to a context (0 to 63); only one Probe may use each of them. A refusal
    by the kernel is a DmaError, an invalid request is RequestRefused.
    """

    def __init__(self, agent: Agent, context: int = 0) -> None:
        self.session = ProbeSession(agent, context)

    def devices(self) -> tuple[Device, ...]:
        """Every bound device, in the order of binding."""
        ids = self.session.call(calls.devices())
        infos = self.session.call_all(calls.device_info(number) for number in ids)
        return tuple(
            Device(self.session, info.id, info.name, info.bus, info.of_path) for info in infos
        )

    def device(self, name: str) -> Device:
        """The bound device of that name (as in sysfs); InputError if there is none."""
        devices = self.devices()
        for device in devices:
            if device.name == name:
                return device
        names = ", ".join(device.name for device in devices) or "none"
        raise InputError(f"the probe is not bound to a device '{name}'; bound are: {names}")

    def buffer(
        self, size: int, kind: BufferKind = BufferKind.PAGES, *, content: Pattern | None = None
    ) -> Buffer:
        """Allocate a physically contiguous buffer of *size* bytes (at most 4 MiB).

        It holds *content*, by default zeros.
        """
        handle, place = self.session.make(
            Space.BUFFER, lambda handle: calls.buffer_alloc(handle, kind, size)
        )
        made = Buffer(self.session, Space.BUFFER, handle, size, kind, place.virt, place.phys)
        if content is not None:
            made.fill(content)
        return made

    def live(self, space: Space) -> tuple[Live, ...]:
        """Everything of that kind that the probe holds in this context."""
        return tuple(self._live(space))

    def held(self) -> tuple[Held, ...]:
        """All memory that is mapped, allocated or a guard, in every context, leaked too."""
        return tuple(self._held())

    def batch(self) -> Batch:
        """Collect calls and make them all when the ``with`` block ends."""
        return Batch(self.session)

    def stress(self, work: Sequence[StressCalls], timeout: float) -> tuple[StressOutcome, ...]:
        """Do all the *work*, each on its CPU, at the same time; *timeout* in seconds."""
        return self.session.stress(work, timeout)

    def adopt(self) -> None:
        """Leave alone what the guest has made in this context before, as after a restore."""
        for space in Space:
            live = self.live(space)
            if live:
                self.session.begin_at(space, live[-1].handle + 1)

    def reset(self) -> None:
        """Unmap and free everything, in every context; objects made before are void."""
        self.session.call(calls.reset())

    def _held(self) -> Iterator[Held]:
        place = (0, Space.BUFFER, 0)
        while some := self.session.call(calls.held(*place)):
            yield from some
            place = _after(some[-1])

    def _live(self, space: Space) -> Iterator[Live]:
        first = 0
        while first < HANDLES:
            some = self.session.call(calls.live(space, first))
            if not some:
                return
            yield from some
            first = some[-1].handle + 1


def _after(last: Held) -> tuple[int, Space, int]:
    """Where the list of what is held goes on: by context, then space, then handle."""
    if last.handle + 1 < HANDLES:
        return last.context, last.space, last.handle + 1
    if last.space is Space.ALLOCATION:
        return last.context + 1, Space.BUFFER, 0
    return last.context, Space(last.space + 1), 0
