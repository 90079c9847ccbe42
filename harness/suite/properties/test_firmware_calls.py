# SPDX-License-Identifier: Apache-2.0
"""FENCE: the firmware refuses a hostile kernel; guest/bare/intruder.S runs in Linux's place."""

import struct
from dataclasses import replace
from pathlib import Path

import pytest

from harness.kernel import Kernel
from harness.machine.bare_program import bare_program
from harness.machine.machine import Machine
from harness.machine.qemu.guest import Guest
from harness.plugin.guests import Guests
from harness.suite.lib.expect import equal, fence_intact

ANSWERS, SECOND_CPU, ABORTS = 0x4030_0000, 0x4030_1000, 0x4030_2000
"""Where it stores the results of its calls: guest/bare/intruder.S."""

HIDDEN_RAM, FLASH = 0x4010_0000, 0x0010_0000
"""The address that it loads two registers from, and the address that it branches to."""

END_TIMEOUT = 20.0
"""Seconds for some hundred instructions; measured: 0.1."""

EL1 = 1 << 2
"""Exception level 1, as in CurrentEL."""

SUCCESS, NOT_SUPPORTED, INVALID_PARAMETERS, ALREADY_ON = 0, -1, -2, -4
"""Arm DEN 0022, 5.2.2."""

EXTERNAL_ABORT = 0x10
DATA, FETCH = 0x25, 0x21
"""Fault status and exception classes, from the same EL (Arm DDI 0487, ESR_EL1)."""

pytestmark = [
    pytest.mark.unexamined("no Linux runs there"),
    pytest.mark.parametrize("fence_name", ["firmware"]),
    pytest.mark.parametrize("cpus", [2]),
]


@pytest.fixture
def intruder(guests: Guests, machine: Machine, kernel: Kernel, tmp_path: Path) -> Guest:
    """The machine with that kernel, after it made all its calls."""
    impostor = replace(kernel, directory=tmp_path)
    impostor.image.write_bytes(bare_program("intruder"))
    guest = guests.stopped(replace(machine, kernel=impostor))
    guest.resume()
    guest.console.wait_for("intruder: done", END_TIMEOUT)
    return guest


@pytest.mark.property("FENCE")
def test_the_firmware_grants_a_kernel_nothing_that_leads_around_it(intruder: Guest) -> None:
    """No PSCI call starts a CPU above EL1: no old call, and none for a CPU that does not exist."""
    level, *answers = words(intruder, ANSWERS, 8)

    expected = [
        NOT_SUPPORTED,  # CPU_ON of before PSCI 0.2
        NOT_SUPPORTED,  # CPU_SUSPEND, with a place to wake up at
        INVALID_PARAMETERS,  # CPU_ON of number 8
        INVALID_PARAMETERS,  # CPU_ON of a CPU in another cluster
        ALREADY_ON,  # CPU_ON of the CPU that asks
        NOT_SUPPORTED,  # an HVC
        SUCCESS,  # CPU_ON of CPU 1
    ]
    equal(level, EL1, "CurrentEL of CPU 0")
    equal(answers, expected, "results of the calls")
    equal(words(intruder, SECOND_CPU, 2), (EL1, 7), "CurrentEL and argument of CPU 1")


@pytest.mark.property("FENCE")
def test_what_cannot_be_skipped_is_an_abort_for_the_kernel(intruder: Guest) -> None:
    """A load of two registers and a branch to hidden memory abort in the kernel's own vector."""
    count, _, *aborts = words(intruder, ABORTS, 6)

    classes = [(syndrome >> 26, syndrome & 0x3F) for syndrome in aborts[::2]]
    equal(count, 2, "aborts")
    equal(classes, [(DATA, EXTERNAL_ABORT), (FETCH, EXTERNAL_ABORT)], "ESR_EL1 of the aborts")
    equal(aborts[1::2], [HIDDEN_RAM, FLASH], "FAR_EL1 of the aborts")


@pytest.mark.property("FENCE")
def test_the_firmware_records_what_it_cannot_skip(intruder: Guest) -> None:
    """The firmware records accesses that ended in an abort like all others."""
    refusals = intruder.cpu_refusals()

    recorded = [(refusal.cpu, refusal.access, refusal.address) for refusal in refusals.last]
    expected = [(0, "read", HIDDEN_RAM), (0, "fetch", FLASH)]
    equal(refusals.count, 2, "accesses that the firmware refused")
    equal(recorded, expected, "accesses that the firmware refused")
    fence_intact(intruder)


def words(guest: Guest, address: int, count: int) -> tuple[int, ...]:
    """*count* signed 64-bit words of guest memory."""
    return struct.unpack(f"<{count}q", guest.qtest.read(address, 8 * count))
