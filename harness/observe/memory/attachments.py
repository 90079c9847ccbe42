# SPDX-License-Identifier: Apache-2.0
"""The kernel's list of devices and their reserved memory."""

from dataclasses import dataclass

from drgn.helpers.linux.list import list_for_each_entry

from harness.observe.memory.kernel import KernelTypes, kernel_reading
from harness.observe.memory.pools import RESERVED_MEM_C


@dataclass(frozen=True)
class Attachment:
    """One entry: the kernel's pointer to the device, and the name of its reserved region."""

    device: int
    region: str


def attachments(types: KernelTypes) -> tuple[Attachment, ...]:
    """Every entry of ``of_rmem_assigned_device_list`` (drivers/of/of_reserved_mem.c).

    Raises AddressError when the kernel's structures are damaged, NotInKernel when it lacks them.
    """
    with kernel_reading("the list of attached devices"):
        head = types.program.variable("of_rmem_assigned_device_list", RESERVED_MEM_C)
        entries = list_for_each_entry("struct rmem_assigned_device", head.address_of_(), "list")
        return tuple(
            Attachment(entry.dev.value_(), entry.rmem.name.string_().decode()) for entry in entries
        )
