# SPDX-License-Identifier: Apache-2.0
"""Accesses that an SMMU refused, from QEMU's log (``-d guest_errors -msg timestamp=on``).

A refused access is three lines: the address (QEMU, hw/arm/smmuv3.c:smmuv3_translate), the stream
and the time (its trace event smmuv3_record_event, in 11.1 smmuv3_propagate_event), and the
direction (softmmu/memory.c, memory_region_access_valid). QEMU splits an access into pieces of 4 or
8 bytes. In 7.2 a trace event begins with process and time, in 11.1 every line with a time.
"""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal

from harness.machine.fence.fence import Refusal

_ADDRESS = re.compile(r"translation failed for iova=0x([0-9a-f]+) ")
_STREAM = re.compile(
    r"^(?:\d+@(\d+\.\d+):|(\S+Z) )smmuv3_(?:record|propagate)_event \S+ sid=0x([0-9a-f]+)"
)
_ACCESS = re.compile(r"^(?:\S+Z )?Invalid (read|write) at addr 0x([0-9A-F]+),")
_ACCESSES: dict[str, Literal["read", "write"]] = {"read": "read", "write": "write"}


def smmu_refusals(lines: Iterable[str]) -> Iterator[Refusal]:
    """Yield the refused accesses in *lines* of QEMU's log, oldest first."""
    address: int | None = None
    pending: Refusal | None = None
    for line in lines:
        if found := _ADDRESS.search(line):
            address, before = int(found[1], 16), address
            if pending and address != before:  # QEMU may ask twice for one access
                yield pending
            pending = None
        elif (found := _STREAM.search(line)) and address is not None:
            time = float(found[1]) if found[1] else datetime.fromisoformat(found[2]).timestamp()
            pending = Refusal(_device(int(found[3], 16)), address, "?", time)
            address = None
        elif (found := _ACCESS.search(line)) and pending and int(found[2], 16) == pending.address:
            yield Refusal(pending.device, pending.address, _ACCESSES[found[1]], pending.time)
            pending = None
    if pending:
        yield pending


def _device(stream: int) -> str:
    """The PCI function with that requester id, as Linux names it."""
    return f"0000:{stream >> 8:02x}:{stream >> 3 & 0x1F:02x}.{stream & 7}"
