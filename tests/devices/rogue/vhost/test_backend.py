# SPDX-License-Identifier: Apache-2.0
"""A vhost-user device serves a ring, honestly or not, and loses neither errors nor files."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from vhost_frontend import BASE, BUFFERS, DESCRIPTORS, RING, USED, USER, Frontend, frontend

from harness.devices.rogue.vhost import Answer, DeviceBuffer, Request, mutations
from harness.devices.rogue.vhost.devices import Disk, Entropy, Network
from harness.devices.rogue.vhost.protocol import CONFIG, RING_STATE, U64, Code, Feature
from harness.devices.rogue.vhost.ring import Descriptor
from harness.machine.qemu.loop import call
from harness.observe.memory.virtqueue import DESCRIPTOR

NEXT, WRITE, INDIRECT = Descriptor.NEXT, Descriptor.WRITE, Descriptor.INDIRECT


@pytest.fixture
def end(tmp_path: Path) -> Iterator[Frontend]:
    """A source of entropy that has memory and a ring."""
    with frontend(tmp_path, Entropy(0x5A)) as end:
        end.share()
        end.start()
        yield end


def ask_for_entropy(end: Frontend, head: int = 0, size: int = 64) -> None:
    end.describe(head, BASE + BUFFERS, size, WRITE)
    end.offer(head)


def test_features_are_those_of_a_modern_device_behind_the_dma_api(end: Frontend) -> None:
    features = U64.unpack(end.ask(Code.GET_FEATURES))[0]

    assert features & Feature.VERSION_1
    assert features & Feature.ACCESS_PLATFORM


def test_a_request_is_filled_completed_and_recorded(end: Frontend) -> None:
    ask_for_entropy(end, head=2)
    end.wait_call()

    assert end.get(BUFFERS, 65) == b"\x5a" * 64 + b"\0"
    assert (end.used_index, end.used(0)) == (1, (2, 64))
    (request,) = end.backend.requests
    place = BASE + DESCRIPTORS + 2 * DESCRIPTOR.size
    assert request.buffers == (DeviceBuffer(BASE + BUFFERS, 64, True, place),)


def test_the_ring_wraps(end: Frontend) -> None:
    for head in (0, 1, 2, 3, 2):
        ask_for_entropy(end, head)
        end.wait_call()

    assert end.used_index == RING + 1
    assert end.used(0) == (2, 64)


def test_an_index_that_cannot_be_is_no_request(end: Frontend) -> None:
    end.backend.on_request = mutations.scribble(0xFF, available=True)
    ask_for_entropy(end)
    end.wait_call()
    os.eventfd_write(end.kick, 1)

    ask_for_entropy(end)
    end.wait_call()

    assert [request.head for request in end.backend.requests] == [0, 0]


def test_an_indirect_table_is_followed(end: Frontend) -> None:
    table = BUFFERS + 0x1000
    end.put(table, DESCRIPTOR.pack(BASE + BUFFERS, 8, WRITE | NEXT, 1))
    end.put(table + DESCRIPTOR.size, DESCRIPTOR.pack(BASE + BUFFERS + 8, 8, WRITE, 0))
    end.describe(1, BASE + table, 2 * DESCRIPTOR.size, INDIRECT)
    end.offer(1)
    end.wait_call()

    assert end.used(0) == (1, 16)
    (request,) = end.backend.requests
    assert [b.address for b in request.buffers] == [BASE + BUFFERS, BASE + BUFFERS + 8]
    assert request.links == (BASE + DESCRIPTORS + DESCRIPTOR.size,)


def test_a_chain_in_a_circle_ends(end: Frontend) -> None:
    end.describe(0, BASE + BUFFERS, 1, WRITE | NEXT, 0)
    end.offer(0)
    end.wait_call()

    assert end.used(0) == (0, RING)


def test_a_buffer_outside_is_refused(end: Frontend) -> None:
    end.describe(0, 0x4020_0000, 64, WRITE)
    end.offer(0)
    end.wait_call()

    assert [(r.address, r.access) for r in end.backend.table.refusals] == [(0x4020_0000, "write")]


def test_a_ring_outside_is_refused_and_never_runs(tmp_path: Path) -> None:
    with frontend(tmp_path, Entropy()) as end:
        end.share()
        end.start(user=USER - 0x10_0000)
        ask_for_entropy(end)
        end.ask(Code.GET_VRING_BASE, RING_STATE.pack(0, 0))

        assert [r.address for r in end.backend.table.refusals] == [BASE + USED]
        assert end.backend.requests == []


def test_a_stopped_ring_says_where_it_stopped(end: Frontend) -> None:
    ask_for_entropy(end)
    end.wait_call()

    assert RING_STATE.unpack(end.ask(Code.GET_VRING_BASE, RING_STATE.pack(0, 0))) == (0, 1)


@pytest.mark.parametrize(
    ("mutation", "index", "element"),
    [
        (mutations.wrong_length(7), 1, (0, 7)),
        (mutations.wrong_id(9), 1, (9, 64)),
        (mutations.index_jump(3), 3, (0, 64)),
        (mutations.duplicate(3), 3, (0, 64)),
    ],
    ids=["length", "id", "index", "duplicate"],
)
def test_a_mutation_of_the_used_ring(
    end: Frontend, mutation: mutations.Mutation, index: int, element: tuple[int, int]
) -> None:
    end.backend.on_request = mutation
    ask_for_entropy(end)
    end.wait_call()

    assert (end.used_index, end.used(0)) == (index, element)


def test_a_mutation_by_other_data_or_none(end: Frontend) -> None:
    end.put(BUFFERS, b"\xcc" * 64)
    end.backend.on_request = mutations.both(
        mutations.only(mutations.no_data, {0}), mutations.only(mutations.other_data(0xEE), {1})
    )

    ask_for_entropy(end)
    end.wait_call()
    assert end.get(BUFFERS, 64) == b"\xcc" * 64
    ask_for_entropy(end)
    end.wait_call()
    assert end.get(BUFFERS, 64) == b"\xee" * 64


def test_a_mutation_of_the_descriptors(end: Frontend) -> None:
    end.backend.on_request = mutations.rewritten(address=1, size=2, flags=3, then=4)
    ask_for_entropy(end)
    end.wait_call()

    assert DESCRIPTOR.unpack(end.get(DESCRIPTORS, DESCRIPTOR.size)) == (1, 2, 3, 4)


def test_a_chain_that_runs_on_keeps_its_address(end: Frontend) -> None:
    end.backend.on_request = mutations.run_on
    ask_for_entropy(end)
    end.wait_call()

    word = DESCRIPTOR.unpack(end.get(DESCRIPTORS, DESCRIPTOR.size))
    assert word == (BASE + BUFFERS, 64, NEXT, 0)


def test_late_data_come_after_the_completion(end: Frontend) -> None:
    end.backend.on_request = mutations.late_data(0xEE, 0.05)
    ask_for_entropy(end)
    end.wait_call()
    assert end.get(BUFFERS, 64) == b"\x5a" * 64

    end.wait(lambda: end.get(BUFFERS, 64) == b"\xee" * 64)


def test_a_held_request_is_completed_when_it_is_released(end: Frontend) -> None:
    end.backend.on_request = mutations.hold
    ask_for_entropy(end)
    end.wait(lambda: bool(end.backend.held))
    assert end.used_index == 0

    call(lambda: end.backend.release(mutations.wrong_length(1)))

    end.wait_call()
    assert end.used(0) == (0, 1)
    assert end.backend.held == []


def test_a_device_may_go_away_and_come_back(end: Frontend) -> None:
    end.backend.on_request = mutations.hang_up
    ask_for_entropy(end)
    assert end.hung_up()
    assert not end.backend.connected

    end.backend.on_request = None
    end.connection.close()
    end.connection = end.accept()
    end.share()
    end.start(base=0)

    end.wait_call()
    assert end.used(0) == (0, 64)


def test_an_exception_is_kept_and_ends_the_conversation(end: Frontend) -> None:
    def broken(request: Request, answer: Answer) -> Answer:
        raise ValueError(f"{request.number} {answer.length}")

    end.backend.on_request = broken
    ask_for_entropy(end)

    assert end.hung_up()
    (fault,) = end.backend.faults
    assert str(fault) == "0 64"


def test_an_unknown_message_is_a_fault(end: Frontend) -> None:
    end.send(99)

    assert end.hung_up()
    assert "message 99" in str(end.backend.faults[0])


def test_nothing_stays_open(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")  # noqa: PTH208 # numbers, not paths

    for _ in range(3):
        with frontend(tmp_path, Entropy()) as end:
            end.share()
            end.share()
            end.start()
            end.start()
            ask_for_entropy(end)
            end.wait_call()

    assert os.listdir("/proc/self/fd") == before  # noqa: PTH208


def disk_request(end: Frontend, kind: int, sector: int, data: tuple[int, int] | None) -> int:
    """Ask a disk for something, with *data* of a size and flags; returns the status."""
    end.put(BUFFERS, kind.to_bytes(8, "little") + sector.to_bytes(8, "little"))
    end.describe(0, BASE + BUFFERS, 16, NEXT, 1 if data else 2)
    if data:
        end.describe(1, BASE + BUFFERS + 0x1000, data[0], data[1] | NEXT, 2)
    end.put(BUFFERS + 0x3000, b"\xff")
    end.describe(2, BASE + BUFFERS + 0x3000, 1, WRITE)
    end.offer(0)
    end.wait_call()
    return end.get(BUFFERS + 0x3000, 1)[0]


def test_a_disk_reads_writes_flushes_and_has_a_name(tmp_path: Path) -> None:
    disk = Disk(b"\1" * 512 + b"\2" * 512, serial=b"mine")
    with frontend(tmp_path, disk) as end:
        end.share()
        end.start()

        assert disk_request(end, 0, 1, (512, WRITE)) == 0
        assert end.get(BUFFERS + 0x1000, 512) == b"\2" * 512
        assert disk_request(end, 1, 0, (512, 0)) == 0
        assert disk.content == b"\2" * 1024
        assert disk_request(end, 4, 0, None) == 0
        assert disk_request(end, 8, 0, (20, WRITE)) == 0
        assert end.get(BUFFERS + 0x1000, 20) == b"mine".ljust(20, b"\0")
        assert disk_request(end, 0, 2, (512, WRITE)) == 1
        assert disk_request(end, 77, 0, None) == 2


def test_a_disk_says_its_capacity_or_another(tmp_path: Path) -> None:
    with frontend(tmp_path, Disk(bytes(4096))) as end:
        question = CONFIG.pack(0, 60, 0) + bytes(60)

        honest = end.ask(Code.GET_CONFIG, question)
        end.backend.on_config = mutations.capacity(1 << 40)
        mutated = end.ask(Code.GET_CONFIG, question)

    assert int.from_bytes(honest[CONFIG.size :][:8], "little") == 8
    assert int.from_bytes(mutated[CONFIG.size :][:8], "little") == 1 << 40
    assert honest[CONFIG.size + 8 :] == mutated[CONFIG.size + 8 :]


def test_a_network_card_records_a_frame(tmp_path: Path) -> None:
    card = Network()
    with frontend(tmp_path, card) as end:
        end.share()
        end.start(index=1)
        end.put(BUFFERS, bytes(Network.HEADER) + b"frame")
        end.describe(0, BASE + BUFFERS, Network.HEADER + 5, 0)
        end.offer(0)
        end.wait_call()

    assert card.frames == [b"frame"]
