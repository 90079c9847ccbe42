# SPDX-License-Identifier: Apache-2.0
"""Where an address came from: the kernel's trace events of the DMA API, with their stacks.

The events are new in Linux 6.12 (include/trace/events/dma.h); since 6.18 a page and a resource are
``dma_map_phys``.
"""

import re
from collections.abc import Iterator, Sequence

from harness.devices.drivers import ENDPOINT
from harness.jobs.check.answers import DmaCall
from harness.machine.qemu.guest import Guest

TRACING = "/sys/kernel/tracing"

EVENTS = (
    *("dma_alloc", "dma_alloc_pages", "dma_alloc_sgt"),
    *("dma_map_page", "dma_map_phys", "dma_map_sg"),
)

BUFFER = 4096
"""KiB of the trace; what comes when it is full is dropped."""

START = f"""\
cd {TRACING} && echo 0 > options/overwrite && echo {BUFFER} > buffer_size_kb
echo 1 > options/stacktrace
for event in {" ".join(EVENTS)}; do echo 1 > events/dma/$event/enable; done
"""

TRACE_FROM_BOOT = (
    f"trace_event={','.join(f'dma:{event}' for event in EVENTS)} trace_options=stacktrace "
    f"trace_buf_size={BUFFER}k"
)
"""The same by the kernel's command line; it does without events that it does not have."""

DEPTH = 16
"""Lines of a stack that are read."""

SHOWN = 12
"""Functions that are kept of a stack."""

_EVENT = re.compile(r"^(\d+):.*?: (dma_\w+): ")
_ONE = re.compile(r" dma_addr=([0-9a-f]+) size=(\d+)")
_MANY = re.compile(r" dma_addrs=\{([^}]*)\} sizes=\{([^}]*)\}")
_FRAME = re.compile(r"^ => ([\w.]+)")
_DMA_API = re.compile(r"_*(dma|dmam|pci_alloc|trace|traceiter|perf_trace|stack_trace|ftrace)_")
_END = ("local_pci_probe", "virtio_dev_probe", "__arm64_sys_", "process_one_work", "invoke_syscall")


def start_trace(guest: Guest) -> None:
    """Record the calls of the DMA API, as far as the kernel can."""
    guest.agent.run(f"{{ {START} }} 2> /dev/null")


def find_origin(guest: Guest, address: int) -> DmaCall | None:
    """The last call that gave the device in the root port *address*; None if none is recorded."""
    listed = guest.agent.run(f"grep -n ': dma_.*{ENDPOINT}' {TRACING}/trace").text
    call = last_call(listed.splitlines(), address)
    if call is None:
        return None
    number, event, base, size = call
    stack = guest.agent.run(f"sed -n '{number + 2},{number + 2 + DEPTH}p' {TRACING}/trace").text
    return DmaCall(event, base, size, callers(stack.splitlines()))


def last_call(lines: Sequence[str], address: int) -> tuple[int, str, int, int] | None:
    """Line number, event, base and size of the last of *lines*, ``grep -n``'s, with *address*."""
    for line in reversed(lines):
        event = _EVENT.match(line)
        for base, size in _ranges(line) if event else ():
            if event and base <= address < base + size:
                return int(event[1]), event[2], base, size
    return None


def _ranges(line: str) -> Iterator[tuple[int, int]]:
    """The address ranges of an event."""
    if one := _ONE.search(line):
        yield int(one[1], 16), int(one[2])
    if many := _MANY.search(line):
        bases, sizes = (text.split(",") for text in many.groups())
        yield from ((int(b, 0), int(s, 0)) for b, s in zip(bases, sizes, strict=False))


def callers(stack: Sequence[str]) -> tuple[str, ...]:
    """The functions of a stack, innermost first: from the driver's to where it was probed."""
    frames: list[str] = []
    for line in stack:
        frame = _FRAME.match(line)
        if frame is None or frame[1].startswith(_END) or len(frames) == SHOWN:
            break
        if frames or not _DMA_API.match(frame[1]):
            frames.append(frame[1])
    return tuple(frames)
