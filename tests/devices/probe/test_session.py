# SPDX-License-Identifier: Apache-2.0
"""A session splits, numbers and understands calls, whatever the probe answers."""

import contextlib
import struct
from collections.abc import Callable

import pytest
from agent_fake import fake_agent

from harness.base.errors import InputError, ProtocolError
from harness.devices.probe import (
    AllocationError,
    AllocCall,
    Direction,
    MapCall,
    MappingError,
    Probe,
    ProbeRefusal,
    RequestRefused,
    Space,
    StressCalls,
    calls,
)
from harness.devices.probe.answers import Mapped
from harness.devices.probe.protocol import operations
from harness.devices.probe.session import ProbeSession
from harness.machine.qemu.frames import Frame, FrameType

Requests = list[tuple[int, bytes]]

FINE = struct.pack("<hH", 0, 0)
MAPPED = struct.pack("<hHQQ", 0, 16, 0x4F000800, 0x4F000800)
FULL = struct.pack("<hHQQ", -12, 16, 0, 0)
NO_MEMORY = struct.pack("<hH", -12, 0)
REPLY_FULL = struct.pack("<hH", ProbeRefusal.REPLY_FULL, 0)
BUSY = struct.pack("<hH", ProbeRefusal.BUSY, 0)


def requests(batch: bytes) -> Requests:
    found = []
    while batch:
        op, length = struct.unpack_from("<BH", batch)
        found.append((op, batch[3 : 3 + length]))
        batch = batch[3 + length :]
    return found


def probe_of(answer: Callable[[Requests], bytes]) -> Callable[[Frame], bytes]:
    """A module that answers what is asked after the choice of context."""

    def serve(frame: Frame) -> bytes:
        _choice, *asked = requests(frame.payload)
        replies = FINE + answer(asked)
        parts = [replies[i : i + 32768] for i in range(0, len(replies), 32768)]
        chunks = b"".join(Frame(FrameType.CHUNK, frame.id, part).encode() for part in parts)
        return chunks + Frame(FrameType.END, frame.id).encode()

    return serve


def map_call(handle: int) -> calls.Call[Mapped]:
    return calls.map_buffer(handle, 1, MapCall.SINGLE, 0, 0, 64, Direction.TO_DEVICE)


def test_the_answer_to_a_call_is_returned() -> None:
    with fake_agent(probe_of(lambda asked: MAPPED * len(asked))) as agent:
        assert ProbeSession(agent).call(map_call(0)) == Mapped(0x4F000800, 0x4F000800)


def test_a_mapping_error_is_raised_by_a_single_call() -> None:
    with (
        fake_agent(probe_of(lambda asked: FULL * len(asked))) as agent,
        pytest.raises(MappingError, match=r"64 bytes, TO_DEVICE.*ENOMEM") as caught,
    ):
        ProbeSession(agent).call(map_call(0))

    assert caught.value.errno == 12


def test_a_mapping_error_is_a_value_among_many_calls() -> None:
    with fake_agent(probe_of(lambda _asked: MAPPED + FULL + MAPPED)) as agent:
        first, second, third = ProbeSession(agent).outcomes([map_call(i) for i in range(3)])

    assert first == third == Mapped(0x4F000800, 0x4F000800)
    assert isinstance(second, MappingError)


def test_a_null_allocation_is_an_allocation_error() -> None:
    with (
        fake_agent(probe_of(lambda _asked: NO_MEMORY)) as agent,
        pytest.raises(AllocationError),
    ):
        ProbeSession(agent).call(calls.alloc(0, 1, AllocCall.COHERENT, 4096))


def test_a_refusal_is_the_caller_s_error() -> None:
    with (
        fake_agent(probe_of(lambda _asked: BUSY)) as agent,
        pytest.raises(RequestRefused, match="BUFFER_FREE: BUSY"),
    ):
        ProbeSession(agent).call(calls.buffer_free(3))


def test_many_calls_are_split_into_transfers_and_keep_their_order() -> None:
    def answer(asked: Requests) -> bytes:
        handles = [struct.unpack_from("<H", payload)[0] for _op, payload in asked]
        return b"".join(struct.pack("<hHQQ", 0, 16, handle, handle) for handle in handles)

    with fake_agent(probe_of(answer)) as agent:
        outcomes = ProbeSession(agent).outcomes([map_call(i) for i in range(5000)])

    assert [outcome.dma_addr for outcome in outcomes] == list(range(5000))


def test_calls_whose_replies_had_no_room_are_made_again() -> None:
    def answer(asked: Requests) -> bytes:
        return MAPPED * len(asked) if len(asked) <= 2 else MAPPED * 2 + REPLY_FULL

    with fake_agent(probe_of(answer)) as agent:
        outcomes = ProbeSession(agent).outcomes([map_call(i) for i in range(5)])

    assert len(outcomes) == 5


def test_a_missing_reply_makes_no_sense() -> None:
    with (
        fake_agent(probe_of(lambda _asked: MAPPED)) as agent,
        pytest.raises(ProtocolError, match="1 replies to 2 calls"),
    ):
        ProbeSession(agent).outcomes([map_call(0), map_call(1)])


def test_a_handle_is_free_again_when_what_it_was_for_failed() -> None:
    with fake_agent(probe_of(lambda _asked: FULL)) as agent:
        session = ProbeSession(agent)

        for _ in range(3):
            with pytest.raises(MappingError):
                session.make(Space.MAPPING, map_call)

        assert session.take_handle(Space.MAPPING) == 0


def test_handles_run_out_with_a_clear_error() -> None:
    with fake_agent(probe_of(lambda _asked: b"")) as agent:
        session = ProbeSession(agent)
        for _ in range(65536):
            session.take_handle(Space.BUFFER)

        with pytest.raises(InputError, match="all 65536 handles for a BUFFER"):
            session.take_handle(Space.BUFFER)


def test_a_batch_gives_each_call_its_outcome() -> None:
    with fake_agent(probe_of(lambda _asked: MAPPED + FULL)) as agent:
        with Probe(agent).batch() as batch:
            good, bad = batch.add(map_call(0)), batch.add(map_call(1))

        assert good.result.dma_addr == 0x4F000800
        with pytest.raises(MappingError):
            bad.result  # noqa: B018 - reading it is the act


def test_a_batch_that_was_left_by_an_error_makes_no_calls() -> None:
    asked: list[Frame] = []

    def answer(frame: Frame) -> bytes:
        asked.append(frame)
        return b""

    with fake_agent(answer) as agent, contextlib.suppress(KeyError), Probe(agent).batch() as batch:
        batch.add(map_call(0))
        raise KeyError

    assert not asked


def test_a_call_has_no_outcome_before_its_batch_is_made() -> None:
    with fake_agent(probe_of(lambda _asked: MAPPED)) as agent, Probe(agent).batch() as batch:
        pending = batch.add(map_call(0))

        with pytest.raises(InputError, match="no outcome"):
            pending.result  # noqa: B018 - reading it is the act


def test_a_device_that_is_not_bound_is_named_with_those_that_are() -> None:
    info = struct.pack("<BBQQQQII", 2, 0, 1, 1, 1, 1, 0, 1) + b"probe-a\0/probe-a\0"

    def answer(asked: Requests) -> bytes:
        if asked[0][0] == operations()["DEVICES"].number:
            return struct.pack("<hHH", 0, 2, 1)
        return struct.pack("<hH", 0, len(info)) + info

    with (
        fake_agent(probe_of(answer)) as agent,
        pytest.raises(InputError, match="'probe-z'; bound are: probe-a"),
    ):
        Probe(agent).device("probe-z")


def test_everything_live_is_listed_over_several_answers() -> None:
    def answer(asked: Requests) -> bytes:
        (first,) = struct.unpack_from("<H", asked[0][1], 1)
        rows = [struct.pack("<HHQI", handle, 1, 0x1000, 64) for handle in range(first, 5)][:2]
        return struct.pack("<hH", 0, 16 * len(rows)) + b"".join(rows)

    with fake_agent(probe_of(answer)) as agent:
        found = Probe(agent).live(Space.MAPPING)

    assert [live.handle for live in found] == [0, 1, 2, 3, 4]


def test_stressed_work_comes_back_as_outcomes() -> None:
    def answer(frame: Frame) -> bytes:
        replies = FINE + MAPPED + FULL
        row = struct.pack("<II", 17, len(replies)) + replies
        chunk = Frame(FrameType.CHUNK, frame.id, row).encode()
        return chunk + Frame(FrameType.END, frame.id).encode()

    with fake_agent(answer) as agent:
        work = StressCalls(cpu=1, runs=100, context=3, calls=[map_call(0), map_call(1)])
        (worked,) = Probe(agent).stress([work], timeout=5)

    assert worked.runs == 17
    assert [type(outcome) for outcome in worked.outcomes] == [Mapped, MappingError]
