# SPDX-License-Identifier: Apache-2.0
"""The memory split: QEMU gives devices in another process the allowed windows only.

QEMU hands a vhost-user backend the file descriptors of its shared memory backends alone
(hw/virtio/vhost-user.c, vhost_user_fill_set_mem_table_msg), so the device cannot access
private ones, as with a hypervisor that shares only the pool with the host (measured with 7.2).
"""

from collections.abc import Sequence

from harness.base.address_range import AddressRange
from harness.machine.fence.fence import Fence


def fence(windows: Sequence[AddressRange], _ports: int) -> Fence:
    """Only *windows* are in shared memory. It confines vhost-user backends only."""
    return Fence("split", tuple(windows))
