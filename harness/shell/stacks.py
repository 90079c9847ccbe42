# SPDX-License-Identifier: Apache-2.0
"""Stacks of the CPUs, by their frame records, in functions, files and lines."""

from collections.abc import Iterator

from harness.base.errors import HarnessError
from harness.kernel.code import places_at
from harness.observe.memory.names import KERNEL_VIRTUAL
from harness.shell.target import Target

DEEPEST = 64
"""Frames; a kernel stack has 16 KiB."""

WORD = 8


def code_line(target: Target, address: int, *, returns: bool = False) -> str:
    """An address of code with its function, file and line, inlined functions first.

    *returns*: the address is where a call returns to, so the byte before it is looked up.
    """
    if address < KERNEL_VIRTUAL:
        return f"{address:#x} (user mode)"
    at = address - 1 if returns else address
    symbol = target.symbol_at(at)
    name = f"{symbol[0]}+{symbol[1] + returns:#x}" if symbol else "no symbol"
    try:
        places = places_at(target.program, at)
    except LookupError:
        return f"{address:#x} {name}"
    inlined = "".join(f" in {one.function}()" for one in places[:-1])
    first = places[0]
    return f"{address:#x} {name}{inlined} ({first.file}:{first.line})"


def cpu_stack(target: Target, cpu: int) -> list[str]:
    """The stack of a CPU of a stopped machine, the innermost frame first.

    arm64 kernels always keep frame records: x29 points to the caller's x29 and the return address
    (Documentation/arch/arm64, AAPCS64 6.4.6).
    """
    values = target.registers(cpu)
    lines = [code_line(target, values["pc"])]
    if values["pc"] < KERNEL_VIRTUAL:
        return lines
    returns = list(_returns(target, values["x29"]))
    if _is_caller(target, values["x30"], values["pc"]) and values["x30"] not in returns[:1]:
        returns.insert(0, values["x30"])
    return [*lines, *(code_line(target, one, returns=True) for one in returns)]


def _is_caller(target: Target, link: int, pc: int) -> bool:
    """Whether the link register is a caller's, as in a function without a frame record.

    After a call that the function at *pc* made itself, it leads into that function.
    """
    if link < KERNEL_VIRTUAL:
        return False
    caller, function = target.symbol_at(link - 1), target.symbol_at(pc)
    return caller is not None and function is not None and caller[0] != function[0]


def _returns(target: Target, frame: int) -> Iterator[int]:
    """The return addresses of the frame records from *frame* on, as far as they can be read."""
    for _ in range(DEEPEST):
        if frame < KERNEL_VIRTUAL or frame % WORD:
            return
        try:
            record = target.memory.read(target.resolver.to_phys(frame), 2 * WORD)
        except HarnessError:
            return
        caller, address = (int.from_bytes(record[at : at + WORD], "little") for at in (0, WORD))
        if address < KERNEL_VIRTUAL:
            return
        yield address
        if caller <= frame:
            return
        frame = caller
