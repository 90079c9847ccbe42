# SPDX-License-Identifier: Apache-2.0
"""Kernel data that a rogue tries to read and to overwrite."""

from harness.observe.memory import KernelTypes


def release_string(types: KernelTypes) -> int:
    """The physical address of the string that ``uname -r`` shows."""
    address = types.program["init_uts_ns"].name.release.address_
    assert address is not None  # a variable has an address
    return types.image.virt_to_phys(address)
