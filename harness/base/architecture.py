# SPDX-License-Identifier: Apache-2.0
"""The architecture of this host: how it compiles for arm64, and how it runs arm64 guests.

The guest is always arm64, and emulated (TCG), on an arm64 host too. KVM is not supported yet: the
attack on the firmware and the matrix need EL2 and an SMMUv3 that the machine emulates, parked
guests would depend on the host's CPU, and a spinning guest CPU could not be watched.
"""

import platform

from harness.base.cpus import usable_cpus

GUEST = "aarch64"

HOST = platform.machine()

NATIVE = HOST == GUEST
"""Whether the host's own compiler compiles for the guest."""

CROSS = "" if NATIVE else "aarch64-linux-gnu-"
"""Prefix of the compiler and the binary utilities for the guest (``CROSS_COMPILE``)."""

NO_KVM = "TCG; KVM is not supported yet" if NATIVE else f"TCG; KVM cannot run arm64 on {HOST}"
"""How guests run, for a person."""


def accelerator() -> str:
    """QEMU's ``-accel``: a thread for each guest CPU, but one for all where the host has one CPU.

    There a guest CPU that waits for a spin lock would keep the host's only CPU from the one that
    holds it; with one thread, WFE goes on to the next guest CPU at once (QEMU 7.2,
    target/arm/translate-a64.c:handle_hint, which does nothing with several). Measured in a test
    with 4 guest CPUs: 6 s for more than 200.
    """
    return "tcg,thread=single" if usable_cpus() == 1 else "tcg"
