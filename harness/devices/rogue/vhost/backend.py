# SPDX-License-Identifier: Apache-2.0
"""Backend: serves a device to QEMU in the harness's event loop; answers can be mutated."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from pathlib import Path

from harness.base.address_range import AddressRange
from harness.base.errors import QemuError
from harness.devices.rogue.vhost.answer import Answer, Write
from harness.devices.rogue.vhost.conversation import Conversation, Listener
from harness.devices.rogue.vhost.devices import Completion, VhostDevice
from harness.devices.rogue.vhost.mutations import ConfigMutation, Mutation
from harness.devices.rogue.vhost.ring import Request, Ring
from harness.devices.rogue.vhost.table import MemoryTable
from harness.machine.qemu.loop import event_loop


class Backend:
    """Serves *device* to QEMU; all methods are for the event loop's thread.

    *news* is called whenever a request or a hang-up has come; only *allowed* guest memory is ever
    mapped, None: all that QEMU hands over. Any exception ends the conversation,
    because QEMU would wait forever for an answer, and is kept in *faults*.
    """

    def __init__(
        self,
        device: VhostDevice,
        name: str,
        news: Callable[[], None],
        allowed: Sequence[AddressRange] | None = None,
    ) -> None:
        self.device = device
        self.table = MemoryTable(name, news, allowed)
        self.requests: list[Request] = []
        self.held: list[Completion] = []
        self.faults: list[Exception] = []
        self.on_request: Mutation | None = None
        self.on_config: ConfigMutation | None = None
        self._news = news
        self._rings: dict[int, Ring] = {}
        self._timers: set[asyncio.TimerHandle] = set()
        self._conversation: Conversation | None = None

    @property
    def connected(self) -> bool:
        """Whether QEMU is at the other end."""
        return self._conversation is not None and self._conversation.connection.fileno() >= 0

    def connect(self, path: Path) -> None:
        """Begin a conversation with the QEMU that listens at *path*."""
        if self.connected:
            raise QemuError("this vhost-user device is connected already")
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(str(path))
        except OSError as fault:
            connection.close()
            raise QemuError(f"QEMU does not listen at {path}: {fault}") from fault
        listener = Listener(self._guard, self._serve, self._forget, self._config)
        self._conversation = Conversation(connection, self.device, self.table, listener)

    def hang_up(self) -> None:
        """End the conversation. The memory stays mapped, as with any process that has it."""
        if self._conversation is not None:
            self._conversation.close()
        self._news()

    def notify_config(self) -> None:
        """Have QEMU read the configuration space again."""
        if self._conversation is not None:
            self._conversation.notify_config()

    def release(self, mutation: Mutation | None) -> None:
        """Answer everything that is held anew, honestly or with a *mutation*."""
        held, self.held = self.held, []
        for completion in held:
            self._answer(completion, mutation)

    def close(self) -> None:
        """Close connection, timers and memory; may be called twice."""
        self.hang_up()
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self.table.close()

    def _serve(self, ring: Ring) -> None:
        """Take and answer all requests of a ring that was kicked."""
        self._rings[ring.layout.index] = ring
        while (request := ring.take(len(self.requests))) is not None:
            self.requests.append(request)
            for completion in self.device.serve(request, self.table):
                self._answer(completion, self.on_request)
        self._news()

    def _answer(self, completion: Completion, mutation: Mutation | None) -> None:
        request, honest = completion.request, completion.answer
        ring = self._rings[request.layout.index]
        answer = honest if mutation is None else mutation(request, honest)
        if answer.hang_up:
            self.hang_up()
        elif answer.times == 0:
            self.held.append(completion)
        elif answer.delay:
            self._later(answer.delay, lambda: self._complete(ring, answer))
        else:
            self._complete(ring, answer)

    def _complete(self, ring: Ring, answer: Answer) -> None:
        if not ring.running:
            return
        self._write(answer.writes)
        ring.complete(answer)
        if answer.late:
            self._later(answer.late_delay, lambda: self._write(answer.late))

    def _write(self, writes: tuple[Write, ...]) -> None:
        for write in writes:
            self.table.write(write.address, write.data)

    def _later(self, seconds: float, function: Callable[[], None]) -> None:
        def now() -> None:
            self._timers.discard(timer)
            function()
            self._news()

        timer = event_loop().call_later(seconds, self._guard(now))
        self._timers.add(timer)

    def _forget(self) -> None:
        self.held.clear()
        self.device.forget()

    def _config(self, honest: bytes) -> bytes:
        return honest if self.on_config is None else self.on_config(honest)

    def _guard(self, function: Callable[[], None]) -> Callable[[], None]:
        def guarded() -> None:
            try:
                function()
            except Exception as fault:  # any error: the next caller raises it
                self.faults.append(fault)
                self.hang_up()
            if not self.connected:
                self._news()

        return guarded
