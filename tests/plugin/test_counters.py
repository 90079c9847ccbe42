# SPDX-License-Identifier: Apache-2.0
"""A file of debugfs that the kernel does not have is named, whichever it is."""

import errno
import struct
from collections.abc import Callable

import pytest
from agent_fake import fake_agent

from harness.base.errors import AgentError, NotInKernel
from harness.machine.qemu.frames import Frame, FrameType
from harness.plugin.counters import PoolCounters

POOL = "restricted-dma@4f000000"


class Debugfs:
    """Files that each hold 7, but for those called *hidden*; *asked* is what was wanted last."""

    def __init__(self, hidden: str = "none", number: int = errno.ENOENT) -> None:
        self.hidden, self.number = hidden, number
        self.asked = ""

    def __call__(self, request: Frame) -> bytes:
        """Answer a request to read or write a file."""
        path = request.payload.strip(b"\0\1").split(b"\0")[0].decode()
        self.asked = path.rpartition("/")[2]
        if path.endswith(f"/{self.hidden}"):
            reason = struct.pack("<I", self.number) + b"no"
            return Frame(FrameType.ERROR, request.id, reason).encode()
        content = Frame(FrameType.CHUNK, request.id, b"7\n").encode()
        return content + Frame(FrameType.END, request.id).encode()


USES: dict[str, Callable[[PoolCounters], object]] = {
    "nslabs": lambda counters: counters.nslabs,
    "used": lambda counters: counters.used,
    "hiwater": lambda counters: counters.hiwater,
    "set_hiwater": lambda counters: counters.set_hiwater(0),
    "transient": lambda counters: counters.transient,
}


def use(debugfs: Debugfs, name: str) -> object:
    with fake_agent(debugfs) as agent:
        return USES[name](PoolCounters(agent, POOL))


@pytest.mark.parametrize("name", USES)
def test_a_file_that_is_not_there_is_named(name: str) -> None:
    whole = Debugfs()
    use(whole, name)

    with pytest.raises(NotInKernel, match=rf"no file \S*/{whole.asked}\b"):
        use(Debugfs(whole.asked), name)


def test_a_file_that_refuses_is_an_error_of_the_agents() -> None:
    with pytest.raises(AgentError):
        use(Debugfs("io_tlb_used_hiwater", errno.EINVAL), "set_hiwater")


def test_every_use_of_counters_is_tried() -> None:
    public = {name for name in vars(PoolCounters) if not name.startswith("_")}

    assert public - {"agent", "name"} == USES.keys()
