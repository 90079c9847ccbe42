# SPDX-License-Identifier: Apache-2.0
"""Symptoms that the memory oracles do not look for: foreign data, and where a guest hangs."""

import re

from harness.base.errors import AgentError
from harness.jobs.fuzz.case import FuzzCase, FuzzStep
from harness.jobs.fuzz.record import Symptom
from harness.jobs.fuzz.work import FILL, READ, SERIAL
from harness.machine.qemu.guest import Guest
from harness.observe.memory import Symbols, live_memory
from harness.observe.memory.image import locate

SHOWN = 16
"""Bytes of foreign data that are shown."""

_PC = re.compile(r"\bPC=([0-9a-f]{16})")


def foreign_data(guest: Guest, case: FuzzCase, step: FuzzStep) -> list[Symptom]:
    """What a *step* gave to the guest's program that is not from the device."""
    try:
        content = guest.agent.read_file(READ)
    except AgentError:
        return []  # there was nothing
    foreign = set(content) - allowed_bytes(case)
    if not foreign:
        return []
    at = next(i for i, byte in enumerate(content) if byte in foreign)
    shown = content[at : at + SHOWN].hex(" ")
    text = f"{step.do} gave {len(foreign)} byte values that are not the device's"
    return [Symptom("data", f"{text}; at {at}: {shown}")]


def allowed_bytes(case: FuzzCase) -> set[int]:
    """The byte values that a guest may be given: the device's, honest or not, and zero."""
    given = {
        mutation.value & 0xFF
        for mutation in case.mutations
        if mutation.field in ("data", "late", "status")
    }
    return {0, FILL, *given} | (set(SERIAL + b"\n") if case.kind == "blk" else set())


def place_of_cpu(guest: Guest) -> str:
    """The function of the kernel's that the guest's first CPU is in."""
    found = _PC.search(guest.monitor.hmp("info registers"))
    if found is None:
        return "?"
    symbols = Symbols(guest.machine.kernel.vmlinux)
    with live_memory(guest) as memory:
        slide = locate(memory, symbols).slide
    symbol = symbols.nearest(int(found[1], 16) - slide)
    return symbol.name if symbol else "user mode"
