# SPDX-License-Identifier: Apache-2.0
"""The other end of an agent's line: answers each request as a test says."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.machine.qemu.agent import Agent
from harness.machine.qemu.frames import Frame, Receiver
from harness.machine.qemu.patience import Patience

Answer = Callable[[Frame], bytes]

HELLO = b"protocol=1\nrelease=6.12.117\nbuild_id=94b2\nboot_id=89ca\nuptime=0.504\n"


@contextlib.contextmanager
def fake_agent(
    answer: Answer,
    greeting: bytes = b"",
    log: Path | None = None,
    patience: Callable[[float], Patience] = Patience,
) -> Iterator[Agent]:
    """An agent that says *greeting*, and what *answer* returns for each request that arrives."""
    ours, theirs = socket.socketpair()
    thread = threading.Thread(target=_serve, args=(theirs, answer, greeting))
    agent = Agent(ours, log, patience)
    thread.start()
    try:
        yield agent
    finally:
        agent.close()
        thread.join()
        theirs.close()


def _serve(line: socket.socket, answer: Answer, greeting: bytes) -> None:
    receiver = Receiver()
    with contextlib.suppress(OSError):  # the test has seen enough and closed its end
        line.sendall(greeting)
        while received := line.recv(65536):
            for frame in receiver.feed(received):
                assert isinstance(frame, Frame)
                line.sendall(answer(frame))


def silent(request: Frame) -> bytes:  # noqa: ARG001 - an Answer
    """No answer at all."""
    return b""
