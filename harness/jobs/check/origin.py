# SPDX-License-Identifier: Apache-2.0
"""Where an address came from: calls of the DMA API that the kernel traced, with their stacks.

Linux 6.12 and later have trace events of the DMA API (include/trace/events/dma.h; since 6.18 a page
and a resource are ``dma_map_phys``). In older kernels kprobes stand in for the two most used calls.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.base.hex_repr import hex_repr
from harness.base.space import MIB
from harness.devices.drivers import ENDPOINT
from harness.jobs.check.answers import DmaCall
from harness.machine.layout import RAM_BASE
from harness.machine.qemu.guest import Guest

TRACING = "/sys/kernel/tracing"

EVENTS = (
    *("dma_alloc", "dma_alloc_pages", "dma_alloc_sgt"),
    *("dma_map_page", "dma_map_phys", "dma_map_sg"),
)

PROBES = (
    "p:harness/dma_alloc dma_alloc_attrs size=$arg2:u64",
    "r:harness/dma_alloc_return dma_alloc_attrs value=$retval:x64",
    "p:harness/dma_map_page dma_map_page_attrs size=$arg4:u64",
    "r:harness/dma_map_page_return dma_map_page_attrs value=$retval:x64",
)
"""For a kernel without EVENTS (Linux, Documentation/trace/kprobetrace.rst)."""

RETURN = "_return"

LINEAR = 512 * MIB
"""The linear map of arm64 keeps an address modulo this, or a multiple of it, whatever the size of a
page (Linux 6.1, arch/arm64/include/asm/kernel-pgtable.h, ARM64_MEMSTART_ALIGN)."""

BUFFER = 4096
"""KiB of the trace; the newest calls are kept."""

MOST_BYTES = 1_000_000
"""The newest of the trace, which :func:`recorded_calls` reads; the agent passes on 1 MiB."""

MOST_CALLS = 5000
"""Lines of the trace that are read, the newest; the agent passes on 1 MiB."""

START = f"""\
cd {TRACING} && echo {BUFFER} > buffer_size_kb
echo 1 > options/stacktrace
if [ -d events/dma ]; then
    for event in {" ".join(EVENTS)}; do echo 1 > events/dma/$event/enable; done
else
    echo '{chr(10).join(PROBES)}' > kprobe_events && echo 1 > events/harness/enable
fi
"""

TRACE_FROM_BOOT = (
    f"trace_event={','.join(f'dma:{event}' for event in EVENTS)} trace_options=stacktrace "
    f"trace_buf_size={BUFFER}k"
)
"""The events by the kernel's command line; it does without those that it does not have."""

DEPTH = 16
"""Lines of a stack that are read."""

SHOWN = 12
"""Functions that are kept of a stack."""

_EVENT = re.compile(r"^(\d+): *(\S.*?) +\[\d+\] .*?: (dma_\w+): (.*)")
_ONE = re.compile(r" dma_addr=([0-9a-f]+) size=(\d+)")
_MANY = re.compile(r" dma_addrs=\{([^}]*)\} sizes=\{([^}]*)\}")
_SIZE, _VALUE = re.compile(r"\) size=(\d+)"), re.compile(r"\) value=0x([0-9a-f]+)")
_FRAME = re.compile(r"^ => ([\w.]+)")
_DMA_API = re.compile(r"_*(dma|dmam|pci_alloc|trace|traceiter|perf_trace|stack_trace|ftrace)_")
_END = ("local_pci_probe", "virtio_dev_probe", "__arm64_sys_", "process_one_work", "invoke_syscall")


@hex_repr
@dataclass(frozen=True)
class TracedCall:
    """A call that gave the device *size* bytes at *base*: *event* in line *number* of a trace."""

    number: int
    event: str
    base: int
    size: int


def start_trace(guest: Guest) -> None:
    """Record the calls of the DMA API, as far as the kernel can."""
    guest.agent.run(f"{{ {START} }} 2> /dev/null")


def find_origin(guest: Guest, address: int) -> DmaCall | None:
    """The last call that gave the device in the root port *address*; None if none is recorded."""
    command = f"grep -n ': dma_' {TRACING}/trace | tail -n {MOST_CALLS}"
    calls = traced_calls(guest.agent.run(command).text.splitlines(), guest.machine.ram_size)
    call = last_call(calls, address)
    if call is None:
        return None
    first = call.number + 2
    stack = guest.agent.run(f"sed -n '{first},{first + DEPTH}p' {TRACING}/trace").text
    return DmaCall(call.event, call.base, call.size, callers(stack.splitlines()))


def recorded_calls(guest: Guest) -> tuple[DmaCall, ...]:
    """The newest calls that gave the device in the root port an address, oldest first."""
    text = guest.agent.run(f"tail -c {MOST_BYTES} {TRACING}/trace").text
    lines = text.splitlines()
    numbered = [f"{number}:{line}" for number, line in enumerate(lines) if ": dma_" in line]
    return tuple(
        DmaCall(call.event, call.base, call.size, callers(lines[call.number + 2 :][:DEPTH]))
        for call in traced_calls(numbered, guest.machine.ram_size)
    )


def last_call(calls: Iterator[TracedCall], address: int) -> TracedCall | None:
    """The last of *calls* whose range has *address*."""
    found = [call for call in calls if call.base <= address < call.base + call.size]
    return found[-1] if found else None


def traced_calls(lines: Sequence[str], ram_size: int) -> Iterator[TracedCall]:
    """The calls in *lines*, as ``grep -n`` prints them, of a guest with *ram_size* bytes of RAM.

    A kprobe knows the size when a call begins, and the address when it returns.
    """
    sizes: dict[str, int] = {}
    for event in filter(None, map(_EVENT.match, lines)):
        number, task, name, said = int(event[1]), event[2], event[3], f" {event[4]}"
        if begun := _SIZE.search(said):
            sizes[task] = int(begun[1])
        elif returned := _VALUE.search(said):
            base = _physical(int(returned[1], 16), ram_size)
            if base is not None:
                yield TracedCall(number, name.removesuffix(RETURN), base, sizes.get(task, 1))
        elif ENDPOINT in said:
            for base, size in _ranges(said):
                yield TracedCall(number, name, base, size)


def _ranges(said: str) -> Iterator[tuple[int, int]]:
    """The address ranges of a trace event."""
    if one := _ONE.search(said):
        yield int(one[1], 16), int(one[2])
    if many := _MANY.search(said):
        bases, sizes = (text.split(",") for text in many.groups())
        yield from ((int(b, 0), int(s, 0)) for b, s in zip(bases, sizes, strict=False))


def _physical(value: int, ram_size: int) -> int | None:
    """The guest-physical address of a call's result; None if it cannot be told.

    That of an allocation is an address in the kernel's linear map.
    """
    if value >> 48 == 0:
        return value
    return RAM_BASE + value % LINEAR if ram_size <= LINEAR else None


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
