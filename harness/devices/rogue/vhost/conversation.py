# SPDX-License-Identifier: Apache-2.0
"""One conversation with QEMU, from its greeting to the hang-up: features, memory, rings."""

import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from harness.base.errors import ProtocolError
from harness.base.hex_repr import hex_repr
from harness.devices.rogue.vhost.devices import VhostDevice
from harness.devices.rogue.vhost.protocol import (
    CONFIG,
    CONFIG_CHANGE,
    NO_FILE,
    RING_ADDRESS,
    RING_MASK,
    RING_STATE,
    TABLE_ENTRY,
    TABLE_HEAD,
    U64,
    Code,
    Feature,
    Flag,
    Message,
    MessageStream,
    ProtocolFeature,
    pack,
)
from harness.devices.rogue.vhost.ring import Ring, RingLayout
from harness.devices.rogue.vhost.table import MemoryTable, TableEntry
from harness.machine.qemu.loop import event_loop


@hex_repr
@dataclass
class RingSettings:
    """The settings of a ring so far, and the *ring* itself while it runs."""

    size: int = 0
    base: int = 0
    addresses: tuple[int, ...] = ()
    kick: int | None = None
    call: int | None = None
    ring: Ring | None = None


@dataclass(frozen=True)
class Listener:
    """Callbacks of a conversation, on the event loop's thread.

    *guard* wraps whatever the loop shall call, so that no exception is lost; *kicked*: a ring has
    work; *stopped*: all that was taken from rings is void; *config* alters the configuration.
    """

    guard: Callable[[Callable[[], None]], Callable[[], None]]
    kicked: Callable[[Ring], None]
    stopped: Callable[[], None]
    config: Callable[[bytes], bytes]


@dataclass
class Conversation:
    """Answers QEMU on a connected socket; for the event loop's thread only."""

    connection: socket.socket
    device: VhostDevice
    table: MemoryTable
    listener: Listener
    slots: dict[int, RingSettings] = field(default_factory=dict)
    acknowledged: int = 0
    """The features that QEMU has set."""

    def __post_init__(self) -> None:
        self._stream = MessageStream(self.connection)
        self._to_frontend: socket.socket | None = None
        self._handlers: dict[int, Callable[[Message], bytes | None]] = {
            Code.GET_FEATURES: lambda _: U64.pack(self._features),
            Code.SET_FEATURES: self._set_features,
            Code.SET_OWNER: lambda _: None,
            Code.RESET_OWNER: lambda _: None,
            Code.SET_MEM_TABLE: self._set_table,
            Code.SET_VRING_NUM: self._set_size,
            Code.SET_VRING_ADDR: self._set_addresses,
            Code.SET_VRING_BASE: self._set_base,
            Code.GET_VRING_BASE: self._stop,
            Code.SET_VRING_KICK: self._set_kick,
            Code.SET_VRING_CALL: self._set_call,
            Code.SET_VRING_ERR: lambda _: None,
            Code.GET_PROTOCOL_FEATURES: lambda _: U64.pack(self._protocol_features),
            Code.SET_PROTOCOL_FEATURES: lambda _: None,
            Code.GET_QUEUE_NUM: lambda _: U64.pack(self.device.queues),
            Code.SET_VRING_ENABLE: lambda _: None,  # a ring runs once it can be kicked
            Code.SEND_RARP: lambda _: None,
            Code.NET_SET_MTU: lambda _: None,
            Code.SET_BACKEND_REQ_FD: self._set_to_frontend,
            Code.IOTLB_MSG: lambda _: None,  # windows map every address to itself
            Code.GET_CONFIG: self._get_config,
            Code.SET_CONFIG: lambda _: None,
        }
        event_loop().add_reader(self.connection, self.listener.guard(self._read))

    def notify_config(self) -> None:
        """Tell QEMU that the configuration space has changed."""
        if self._to_frontend is None:
            raise ProtocolError(
                "QEMU gave this vhost-user device no back channel (SET_BACKEND_REQ_FD)"
            )
        self._to_frontend.sendall(pack(CONFIG_CHANGE, b"", Flag.VERSION))

    def close(self) -> None:
        """Hang up and let go of everything but the memory; may be called twice."""
        for index in self.slots:
            self._halt(index)
            self._replace_call(index, None)
        if self.connection.fileno() >= 0:
            event_loop().remove_reader(self.connection)
        self._stream.close()
        if self._to_frontend is not None:
            self._to_frontend.close()

    @property
    def _features(self) -> int:
        transport = Feature.VERSION_1 | Feature.ACCESS_PLATFORM | Feature.INDIRECT_DESC
        return self.device.features | transport | Feature.PROTOCOL_FEATURES

    @property
    def _protocol_features(self) -> int:
        # QEMU takes ACCESS_PLATFORM only with the second and third of these
        common = ProtocolFeature.MQ | ProtocolFeature.REPLY_ACK | ProtocolFeature.BACKEND_REQ
        return common | ProtocolFeature.CONFIG if self.device.config else common

    def _read(self) -> None:
        try:
            while (message := self._stream.receive()) is not None:
                self._handle(message)
        except EOFError:
            self.close()

    def _handle(self, message: Message) -> None:
        with contextlib.ExitStack() as unused:
            for file in message.files:
                unused.callback(os.close, file)  # whoever keeps one keeps a duplicate
            handler = self._handlers.get(message.code)
            if handler is None:
                raise ProtocolError(f"QEMU sent vhost-user message {message.code}, unknown here")
            reply = handler(message)
        if reply is None and message.flags & Flag.NEED_REPLY:
            reply = U64.pack(0)
        if reply is not None:
            self._stream.send(pack(message.code, reply))

    def _set_features(self, message: Message) -> None:
        self.acknowledged = message.number

    def _set_table(self, message: Message) -> None:
        count, _ = message.unpack(TABLE_HEAD)
        places = range(
            TABLE_HEAD.size, TABLE_HEAD.size + count * TABLE_ENTRY.size, TABLE_ENTRY.size
        )
        entries = [TableEntry(*TABLE_ENTRY.unpack_from(message.payload, place)) for place in places]
        self.table.replace(entries, message.files)

    def _set_size(self, message: Message) -> None:
        index, size = message.unpack(RING_STATE)
        self._slot(index).size = size

    def _set_base(self, message: Message) -> None:
        index, base = message.unpack(RING_STATE)
        self._slot(index).base = base

    def _set_addresses(self, message: Message) -> None:
        index, _, *addresses = message.unpack(RING_ADDRESS)
        self._slot(index).addresses = tuple(addresses)

    def _set_kick(self, message: Message) -> None:
        index = message.number & RING_MASK
        self._halt(index)
        layout = self._layout(index)
        if message.number & NO_FILE or layout is None:
            return
        slot = self._slot(index)
        ring = slot.ring = Ring(self.table, layout, slot.base)
        ring.call = slot.call
        kick = slot.kick = os.dup(message.files[0])
        os.set_blocking(kick, False)

        def kicked() -> None:
            with contextlib.suppress(BlockingIOError):
                os.eventfd_read(kick)
            self.listener.kicked(ring)

        event_loop().add_reader(kick, self.listener.guard(kicked))
        event_loop().call_soon(self.listener.guard(lambda: self.listener.kicked(ring)))

    def _layout(self, index: int) -> RingLayout | None:
        """The layout of a ring; None, and a refusal, if it is outside the memory handed over."""
        slot = self._slot(index)
        if len(slot.addresses) != 4:
            raise ProtocolError(f"QEMU started ring {index} before it said where that is")
        *users, log = slot.addresses
        if self.acknowledged & Feature.ACCESS_PLATFORM:
            places: Sequence[int | None] = users  # the guest's own addresses, before its IOMMU
        else:
            places = [self.table.from_user(user) for user in users]
        descriptors, used, available = places
        if descriptors is None or used is None or available is None:
            self.table.refuse(log, "read")
            return None
        return RingLayout(index, slot.size, descriptors, available, used)

    def _set_call(self, message: Message) -> None:
        index = message.number & RING_MASK
        call = None if message.number & NO_FILE else os.dup(message.files[0])
        self._replace_call(index, call)

    def _replace_call(self, index: int, call: int | None) -> None:
        slot = self._slot(index)
        if slot.call is not None:
            os.close(slot.call)
        slot.call = call
        if slot.ring is not None:
            slot.ring.call = call

    def _stop(self, message: Message) -> bytes:
        index, _ = message.unpack(RING_STATE)
        self._halt(index)
        return RING_STATE.pack(index, self._slot(index).base)

    def _halt(self, index: int) -> None:
        slot = self._slot(index)
        if slot.kick is not None:
            event_loop().remove_reader(slot.kick)
            os.close(slot.kick)
            slot.kick = None
        if slot.ring is not None:
            slot.ring.running = False
            slot.base, slot.ring = slot.ring.next, None
            self.listener.stopped()

    def _set_to_frontend(self, message: Message) -> None:
        self._to_frontend = socket.socket(fileno=os.dup(message.files[0]))

    def _get_config(self, message: Message) -> bytes:
        offset, size, flags = message.unpack(CONFIG)
        config = self.listener.config(self.device.config)[offset : offset + size]
        return CONFIG.pack(offset, size, flags) + config.ljust(size, b"\0")

    def _slot(self, index: int) -> RingSettings:
        return self.slots.setdefault(index, RingSettings())
