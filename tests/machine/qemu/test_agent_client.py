# SPDX-License-Identifier: Apache-2.0
"""The agent's client waits for what it asked, no longer than it may, and says what it saw."""

import socket
import struct
import threading
from pathlib import Path

import pytest
from agent_fake import HELLO, fake_agent, silent

from harness.base.errors import AgentError, GuestCrash, GuestHang, ProtocolError, QemuError
from harness.machine.qemu.agent import Agent, Hello, Ran, StressJob, StressResult
from harness.machine.qemu.frames import PAYLOAD_MAX, Frame, FrameType
from harness.machine.qemu.patience import Patience

GUEST = Hello(protocol=1, release="6.12.117", build_id="94b2", boot_id="89ca", uptime=0.504)

END, CHUNK = FrameType.END, FrameType.CHUNK


def said(kind: FrameType, request: Frame, payload: bytes = b"") -> bytes:
    return Frame(kind, request.id, payload).encode()


def test_an_announcement_is_awaited_over_boot_noise() -> None:
    greeting = b"\x00\xffnoise" + Frame(FrameType.READY, 0, HELLO).encode()

    with fake_agent(silent, greeting) as agent:
        assert agent.wait_ready(Patience(5)) == GUEST


def test_a_hello_is_answered_over_the_rest_of_another_answer() -> None:
    rest = Frame(END, 1, b"old" * 100).encode()[50:]

    with fake_agent(lambda request: said(END, request, HELLO), rest) as agent:
        assert agent.hello(5) == GUEST


def test_a_hello_that_arrived_damaged_is_said_again() -> None:
    heard: list[Frame] = []

    def answer(request: Frame) -> bytes:
        heard.append(request)
        if len(heard) == 1:
            return Frame(FrameType.DAMAGED, 0).encode()
        return said(END, request, HELLO)

    with fake_agent(answer) as agent:
        assert agent.hello(5) == GUEST


def test_another_version_of_the_protocol_is_refused() -> None:
    other = HELLO.replace(b"protocol=1", b"protocol=9")

    with (
        fake_agent(lambda request: said(END, request, other)) as agent,
        pytest.raises(ProtocolError, match="protocol 9"),
    ):
        agent.hello(5)


def test_a_hello_without_a_boot_id_makes_no_sense() -> None:
    with (
        fake_agent(lambda request: said(END, request, b"protocol=1\n")) as agent,
        pytest.raises(ProtocolError, match="hello is not valid"),
    ):
        agent.hello(5)


def test_a_command_s_output_is_put_together() -> None:
    def answer(request: Frame) -> bytes:
        assert request.payload == struct.pack("<I", 5000) + b"uname"
        parts = said(CHUNK, request, b"Li") + said(CHUNK, request, b"nux\n")
        return parts + said(END, request, struct.pack("<IB", 3, 1))

    with fake_agent(answer) as agent:
        assert agent.run("uname", 5) == Ran(3, b"Linux\n", timed_out=True, truncated=False)


def test_an_answer_to_an_earlier_request_is_not_taken() -> None:
    def answer(request: Frame) -> bytes:
        stale = Frame(CHUNK, request.id - 1, b"stale").encode()
        return stale + said(CHUNK, request, b"fresh") + said(END, request)

    with fake_agent(answer) as agent:
        assert agent.read_file("/proc/version", 5) == b"fresh"


def test_what_the_guest_cannot_do_is_an_error_with_its_number() -> None:
    refusal = struct.pack("<I", 2) + b"/nope: No such file or directory"

    with (
        fake_agent(lambda request: said(FrameType.ERROR, request, refusal)) as agent,
        pytest.raises(AgentError, match="No such file") as caught,
    ):
        agent.read_file("/nope", 5)

    assert caught.value.errno == 2


def test_a_long_file_is_written_in_pieces_after_the_first() -> None:
    heard: list[bytes] = []

    def answer(request: Frame) -> bytes:
        heard.append(request.payload)
        return said(END, request)

    content = b"0123456789" * 7000
    with fake_agent(answer) as agent:
        agent.write_file("/tmp/x", content, 5)

    assert [payload[:8] for payload in heard] == [b"\0/tmp/x\0", b"\1/tmp/x\0", b"\1/tmp/x\0"]
    assert b"".join(payload[8:] for payload in heard) == content


def test_an_empty_file_is_written_too() -> None:
    heard: list[bytes] = []

    def answer(request: Frame) -> bytes:
        heard.append(request.payload)
        return said(END, request)

    with fake_agent(answer) as agent:
        agent.write_file("/tmp/x", b"", 5)

    assert heard == [b"\0/tmp/x\0"]


def test_results_of_a_stress_come_back_in_order() -> None:
    def answer(request: Frame) -> bytes:
        rows = struct.pack("<II", 9, 2) + b"ab" + struct.pack("<II", 1, 0)
        return said(CHUNK, request, rows) + said(END, request)

    with fake_agent(answer) as agent:
        results = agent.stress([StressJob(0, 9, b"x"), StressJob(1, 9, b"y")], 5)

    assert results == (StressResult(9, b"ab"), StressResult(1, b""))


def test_a_request_that_is_too_long_is_refused_here() -> None:
    with fake_agent(silent) as agent, pytest.raises(ProtocolError, match="split it"):
        agent.probe(b"x" * (PAYLOAD_MAX + 1), 5)


def test_silence_is_a_hang_that_says_what_was_awaited_and_last_seen() -> None:
    def answer(request: Frame) -> bytes:
        return said(CHUNK, request, b"half of it")

    with (
        fake_agent(answer) as agent,
        pytest.raises(GuestHang, match=r"/proc/version was awaited for 0\.2 s.*half of it"),
    ):
        agent.read_file("/proc/version", 0.2)


def test_each_part_of_an_answer_is_waited_for_anew() -> None:
    made = []

    def patience(seconds: float) -> Patience:
        made.append(seconds)
        return Patience(seconds)

    def answer(request: Frame) -> bytes:
        return 3 * said(CHUNK, request, b"part") + said(END, request)

    with fake_agent(answer, patience=patience) as agent:
        assert agent.read_file("/proc/kallsyms", 5) == 3 * b"part"
    assert made == 4 * [5]


def test_a_damaged_request_is_known_by_the_answer_to_the_next_one() -> None:
    def answer(request: Frame) -> bytes:
        if request.type is FrameType.READ:
            return Frame(FrameType.DAMAGED, 0).encode()
        return said(END, request, HELLO)

    with fake_agent(answer) as agent, pytest.raises(ProtocolError, match="damaged on its way"):
        agent.read_file("/proc/version", 5)


def test_damage_from_before_a_request_does_not_spoil_it() -> None:
    def answer(request: Frame) -> bytes:
        return said(CHUNK, request, b"fresh") + said(END, request)

    with fake_agent(answer, Frame(FrameType.DAMAGED, 0).encode()) as agent:
        assert agent.read_file("/proc/version", 5) == b"fresh"


def test_a_waiting_call_ends_at_once_when_the_guest_is_known_to_have_ended() -> None:
    ours, theirs = socket.socketpair()
    agent = Agent(ours)

    def watch() -> None:
        theirs.recv(1000)
        agent.abort(GuestCrash("the kernel panicked"))

    watcher = threading.Thread(target=watch)
    watcher.start()

    with pytest.raises(GuestCrash, match="panicked"):
        agent.run("true", 60)

    watcher.join()
    agent.close()
    theirs.close()


def test_the_first_reason_to_abort_stays() -> None:
    with fake_agent(silent) as agent:
        agent.abort(GuestCrash("first"))
        agent.abort(GuestCrash("second"))

        with pytest.raises(GuestCrash, match="first"):
            agent.hello(60)


def test_a_line_that_qemu_closed_is_qemu_s_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.machine.qemu.line.LAST_WORDS_TIMEOUT", 0.1)
    ours, theirs = socket.socketpair()
    agent = Agent(ours)
    theirs.close()

    with pytest.raises(QemuError, match="QEMU closed the agent's line"):
        agent.wait_ready(Patience(60))

    agent.close()


def test_the_log_shows_both_directions(tmp_path: Path) -> None:
    log = tmp_path / "agent.log"

    with fake_agent(lambda request: said(END, request, HELLO), log=log) as agent:
        agent.hello(5)

    sent, heard = log.read_text().splitlines()
    assert "> HELLO #" in sent
    assert "< END #" in heard
    assert "release=6.12.117" in heard
