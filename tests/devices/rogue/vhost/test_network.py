# SPDX-License-Identifier: Apache-2.0
"""A network card of ours sends frames back when it shall, into buffers that wait for them."""

from harness.devices.rogue.vhost.answer import Write
from harness.devices.rogue.vhost.devices import Network
from harness.devices.rogue.vhost.ring import DeviceBuffer, Request, RingLayout
from harness.devices.rogue.vhost.table import MemoryTable


class Memory(MemoryTable):
    """Memory that holds one frame, header and all."""

    def read(self, address: int, size: int) -> bytes:
        """Read the frame, wherever it is."""
        del address
        return (bytes(Network.HEADER) + b"frame")[:size]


def request(queue: int, writable: bool, size: int, number: int = 0) -> Request:
    layout = RingLayout(queue, 4, 0, 0, 0)
    return Request(number, layout, number, (DeviceBuffer(0x1000, size, writable, 0),), (0,))


def test_a_frame_comes_back_in_the_first_waiting_buffer() -> None:
    card, memory = Network(reflect=True), Memory("net")
    assert card.serve(request(0, True, 100, number=0), memory) == []
    assert card.serve(request(0, True, 100, number=1), memory) == []

    sent, received = card.serve(request(1, False, Network.HEADER + 5, number=2), memory)

    assert (sent.request.number, sent.answer.length) == (2, 0)
    assert (received.request.number, received.answer.length) == (0, Network.HEADER + 5)
    frame = bytes(Network.HEADER - 2) + b"\1\0frame"
    assert received.answer.writes == (Write(0x1000, frame),)


def test_a_frame_without_a_buffer_is_recorded_only() -> None:
    card, memory = Network(reflect=True), Memory("net")

    (sent,) = card.serve(request(1, False, Network.HEADER + 5), memory)

    assert sent.answer.writes == ()
    assert card.frames == [b"frame"]


def test_buffers_of_stopped_rings_are_forgotten() -> None:
    card, memory = Network(reflect=True), Memory("net")
    card.serve(request(0, True, 100), memory)

    card.forget()

    assert len(card.serve(request(1, False, Network.HEADER + 5), memory)) == 1
