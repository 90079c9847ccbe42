# SPDX-License-Identifier: Apache-2.0
"""Stop the machine where it matters, and go on: break, watch, step, continue."""

import re

from drgn.helpers.linux.mm import phys_to_virt

from harness.base.errors import InputError
from harness.kernel import SLOT
from harness.machine.qemu.gdbstub import PointKind, StopReason
from harness.observe.memory.kernel import kernel_reading
from harness.observe.memory.names import KERNEL_VIRTUAL
from harness.shell.answer import Answer, table
from harness.shell.command import Argument, Command, Needs, Takes, WrongForm
from harness.shell.debugger import Debugger, Point
from harness.shell.device_watch import DeviceWatch
from harness.shell.recording import Playback
from harness.shell.stacks import code_line
from harness.shell.target import Target
from harness.shell.words import parse_number

WORD = 8
"""Bytes that ``watch`` watches, unless told otherwise."""

MOST_STEPS = 1000

ACCESSES = {"read": PointKind.READ, "write": PointKind.WRITE, "access": PointKind.ACCESS}

_WATCH = re.compile(r"(.+?)(?:\s+(read|write|access))?(?:\s+by\s+(kernel|device))?")
_SIZED = re.compile(r"(\S+)\s+(\w+)")


def debugger(target: Target) -> Debugger:
    """The target's debugger."""
    return target.part(Debugger, lambda: Debugger(target))


def add_breakpoint(target: Target, words: list[str]) -> Answer:
    """Stop at a function, or list the stops."""
    if not words:
        return list_points(target)
    place, _, condition = words[0].partition(" if ")
    address = target.resolver.address(place.strip())
    if address < KERNEL_VIRTUAL:
        raise InputError(f"{place} is {address:#x}, no code: expected a function of the kernel")
    point = debugger(target).add(PointKind.EXECUTE, address, 4, place.strip(), condition.strip())
    return Answer(f"breakpoint {point.number} at {code_line(target, address)}")


def list_points(target: Target) -> Answer:
    """All breakpoints and watchpoints."""
    return table(
        {
            "number": one.number,
            "kind": "break" if one.kind is PointKind.EXECUTE else f"watch {one.kind.name.lower()}",
            "where": one.text,
            "if": one.condition or None,
        }
        for one in debugger(target).points.values()
    )


def delete_point(target: Target, words: list[str]) -> Answer:
    """Remove a breakpoint or watchpoint."""
    if len(words) != 1:
        raise WrongForm
    number = parse_number(words[0], "number", end=1 << 31)
    return Answer(f"removed: {debugger(target).remove(number).text}")


def watch(target: Target, words: list[str]) -> Answer:
    """Stop at an access by the kernel, or report the accesses of devices."""
    found = _WATCH.fullmatch(words[0]) if words else None
    if found is None:
        raise WrongForm
    sized = _SIZED.fullmatch(found[1])
    text = sized[1] if sized else found[1]
    default = SLOT if ":slot" in text else WORD
    size = parse_number(sized[2], "size", least=1, end=1 << 30) if sized else default
    address = target.resolver.address(text)
    if found[3] == "device":
        return target.part(DeviceWatch, lambda: DeviceWatch(target)).add(
            target.resolver.to_phys(address), size, found[2] or "access"
        )
    kind = ACCESSES[found[2] or "access"]
    point = debugger(target).add(kind, _virtual(target, address), size, words[0])
    return Answer(f"watchpoint {point.number}: {size} bytes at {address:#x}, {kind.name.lower()}")


def _virtual(target: Target, address: int) -> int:
    """The address by which the kernel's CPUs access it: that of the linear map."""
    if address >= KERNEL_VIRTUAL:
        return address
    target.memory.read(address, 1)  # raises AddressError for what is no RAM
    with kernel_reading(f"the linear map of {address:#x}"):
        return int(phys_to_virt(target.types.program, address))


def step(target: Target, words: list[str]) -> Answer:
    """Execute instructions on the CPU that stopped."""
    count = parse_number(words[0], "count", least=1, end=MOST_STEPS + 1) if words else 1
    if len(words) > 1:
        raise WrongForm
    for _ in range(count):
        debugger(target).step()
    return Answer(here(target))


def proceed(target: Target, words: list[str]) -> Answer:
    """Let the machine run until a breakpoint, or the end of what the guest was doing."""
    if words:
        raise WrongForm
    control = debugger(target)
    playback = target.parts.get(Playback)
    if isinstance(playback, Playback):
        stop = play(target, playback, playback.end)
        if stop is None:
            return Answer(f"the end of the recording:\n{here(target)}")
        return outcome_answer(target, stop)
    control.resume()
    if not control.armed and control.pending is None:
        return Answer("the machine runs")
    return outcome_answer(target, control.wait())


def play(target: Target, playback: Playback, end: int) -> Point | StopReason | None:
    """Play a recording up to a moment; returns what stopped it before."""
    control = debugger(target)
    if not control.armed:
        return None if playback.seek(end) else StopReason(target.cpu)
    playback.stop_at(end)
    control.resume()
    stop = control.wait()
    assert isinstance(stop, Point | StopReason), "no call is pending in a recording"
    return None if playback.icount == end else stop


def reverse_step(target: Target, words: list[str]) -> Answer:
    """Go back by instructions."""
    count = parse_number(words[0], "count", least=1, end=MOST_STEPS + 1) if words else 1
    if len(words) > 1:
        raise WrongForm
    for _ in range(count):
        debugger(target).reverse(step=True)
    return Answer(here(target))


def reverse_continue(target: Target, words: list[str]) -> Answer:
    """Go back to the last stop before."""
    if words:
        raise WrongForm
    return outcome_answer(target, debugger(target).reverse(step=False))


def outcome_answer(target: Target, outcome: object) -> Answer:
    """What a call into the guest came to: its answer, or a stop of the machine."""
    if isinstance(outcome, Answer):
        return outcome
    if isinstance(outcome, Point):
        kind = "breakpoint" if outcome.kind is PointKind.EXECUTE else "watchpoint"
        return Answer(f"{kind} {outcome.number}, {outcome.text}:\n{here(target)}")
    if isinstance(outcome, StopReason):
        return Answer(f"the machine stopped:\n{here(target)}")
    return Answer("" if outcome is None else str(outcome))


def here(target: Target) -> str:
    """The CPU, its program counter and the function."""
    pc = target.resolver.address("$pc")
    return f"CPU {target.cpu} at {code_line(target, pc)}"


COMMANDS = (
    Command(
        "break",
        "Stop the machine at a function, if a condition holds; without words, list the stops.",
        ("", "FUNCTION [if CONDITION]"),
        add_breakpoint,
        ("break swiotlb_bounce", "break swiotlb_map if $x1 == buffer:0", "break"),
        needs=Needs.QEMU,
        arguments=(Argument.FUNCTION,),
        takes=Takes.TEXT,
    ),
    Command(
        "delete",
        "Remove a breakpoint or watchpoint by its number.",
        ("NUMBER",),
        delete_point,
        ("delete 1",),
        needs=Needs.QEMU,
        arguments=(Argument.POINT,),
    ),
    Command(
        "watch",
        "Stop when the kernel accesses memory, or report when a device does.",
        ("ADDRESS|SLOT [SIZE] [read|write|access] [by kernel|device]",),
        watch,
        (
            "watch pool:slot0 write",
            "watch linux_banner 64 read by kernel",
            "watch pool:slot0 write by device",
        ),
        needs=Needs.QEMU,
        arguments=(Argument.ADDRESS, ("read", "write", "access"), ("by",), ("kernel", "device")),
        takes=Takes.TEXT,
    ),
    Command(
        "step",
        "Execute one instruction, or COUNT, on the CPU that stopped.",
        ("[COUNT]",),
        step,
        ("step", "step 10"),
        needs=Needs.QEMU,
    ),
    Command(
        "reverse-step",
        "Go back by one instruction, or COUNT, in a recording ('harness debug --record').",
        ("[COUNT]",),
        reverse_step,
        ("reverse-step",),
        needs=Needs.QEMU,
    ),
    Command(
        "reverse-continue",
        "Go back to the last breakpoint or watchpoint before, in a recording.",
        ("",),
        reverse_continue,
        ("reverse-continue",),
        needs=Needs.QEMU,
    ),
    Command(
        "continue",
        "Let the machine run: until a breakpoint, if there is one; Ctrl-C ends the wait only.",
        ("",),
        proceed,
        needs=Needs.QEMU,
    ),
)
