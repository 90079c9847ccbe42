# SPDX-License-Identifier: Apache-2.0
"""The memory split: devices in another process get the allowed windows only.

RAM is cut into blocks (harness/machine/layout.py), each a file of its own, and a vhost-user device
is given the files of the windows alone (devices/rogue/vhost/table.py), as by a hypervisor that
shares only the pool with the host.
"""

from collections.abc import Sequence

from harness.base.address_range import AddressRange
from harness.machine.fence.fence import Fence


def fence(windows: Sequence[AddressRange], _ports: int) -> Fence:
    """Only *windows* are handed over. It confines vhost-user backends only."""
    return Fence("split", tuple(windows))
