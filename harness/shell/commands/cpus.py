# SPDX-License-Identifier: Apache-2.0
"""CPUs and code: registers, stacks, tasks, disassembly."""

from drgn.helpers.linux.pid import for_each_task

from harness.base.errors import InputError
from harness.observe.memory.kernel import kernel_reading
from harness.observe.memory.names import KERNEL_VIRTUAL
from harness.shell.answer import Answer, table
from harness.shell.command import Argument, Command, Needs, Takes, WrongForm
from harness.shell.disassembly import INSTRUCTION, disassemble
from harness.shell.stacks import code_line, cpu_stack
from harness.shell.target import Target
from harness.shell.words import LARGEST, parse_number

UNKNOWN_SIZE = 32
"""Instructions that are shown of a symbol without a size."""


def show_code(target: Target, words: list[str]) -> Answer:
    """The instructions of a function, as RAM has them."""
    if not words:
        raise WrongForm
    address = target.resolver.address(words[0])
    if address < KERNEL_VIRTUAL:
        raise InputError(f"{words[0]} is {address:#x}, no code: expected a function of the kernel")
    size = target.size_at(address) or UNKNOWN_SIZE * INSTRUCTION
    return disassemble(target, address, min(size, LARGEST) // INSTRUCTION)


def show_registers(target: Target, words: list[str]) -> Answer:
    """The general registers of one CPU, with what the addresses in them are."""
    cpu = _cpu(target, words)
    places = target.places
    values = target.registers(cpu)
    text = "\n".join(
        f"{name:4} {value:#018x}  {_place(target, name, value, places.describe(value))}".rstrip()
        for name, value in values.items()
    )
    return Answer(text, values)


def _place(target: Target, name: str, value: int, place: str | None) -> str:
    if name in ("pc", "x30"):
        return code_line(target, value).partition(" ")[2]
    return place or ""


def _cpu(target: Target, words: list[str]) -> int:
    match words:
        case []:
            return target.cpu
        case [number]:
            return parse_number(number, "CPU", end=target.guest.machine.cpus)
        case _:
            raise WrongForm


def show_stacks(target: Target, words: list[str]) -> Answer:
    """The stack of each CPU; the machine is stopped while it is read."""
    if words:
        raise WrongForm
    running = target.is_running()
    if running:
        target.guest.pause()
    try:
        stacks = {cpu: cpu_stack(target, cpu) for cpu in range(target.guest.machine.cpus)}
    finally:
        if running:
            target.guest.resume()
    text = "\n".join(
        "\n".join([f"CPU {cpu}:", *(f"  {line}" for line in lines)])
        for cpu, lines in stacks.items()
    )
    return Answer(text, stacks)


def list_tasks(target: Target, words: list[str]) -> Answer:
    """The tasks of the guest, from its memory."""
    if words:
        raise WrongForm
    with kernel_reading("the tasks"):
        return table(
            {
                "pid": task.pid.value_(),
                "parent": task.real_parent.pid.value_(),
                "name": task.comm.string_().decode(errors="replace"),
                "kind": "process" if task.mm.value_() else "kernel thread",
            }
            for task in for_each_task(target.types.program)
        )


COMMANDS = (
    Command(
        "disas",
        "Disassemble a function, as RAM has it.",
        ("FUNCTION",),
        show_code,
        ("disas swiotlb_bounce", "disas swiotlb_map | head"),
        arguments=(Argument.FUNCTION,),
        takes=Takes.TEXT,
    ),
    Command(
        "regs",
        "Show the registers of the CPU that stopped last, or of CPU number N.",
        ("[N]",),
        show_registers,
        ("regs", "regs 1"),
        needs=Needs.QEMU,
        arguments=(Argument.CPU,),
    ),
    Command(
        "bt",
        "Show the stack of every CPU, with files and lines.",
        ("",),
        show_stacks,
        ("bt",),
        needs=Needs.QEMU,
    ),
    Command("ps", "List the guest's tasks.", ("",), list_tasks, ("ps | grep probe",)),
)
