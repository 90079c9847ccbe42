# SPDX-License-Identifier: Apache-2.0
"""Vhost-user devices in this process: real drivers in the guest use them; answers can be mutated.

==================  =========================================================================
``VhostRogue``      plugs one into a running guest; reads and writes all that it was handed
``Entropy``         what it is: a source of entropy,
``Disk``            ... a disk,
``Network``         ... or a network card
``mutations``       the wrong answers that it can give
``Request``         what a driver asked for, with its buffers
``Answer``          how that is answered
==================  =========================================================================
"""

from harness.devices.rogue.vhost import mutations
from harness.devices.rogue.vhost.answer import Answer, Write
from harness.devices.rogue.vhost.devices import Disk, Entropy, Network
from harness.devices.rogue.vhost.ring import DeviceBuffer, Request
from harness.devices.rogue.vhost.rogue import VhostRogue

__all__ = [
    "Answer",
    "DeviceBuffer",
    "Disk",
    "Entropy",
    "Network",
    "Request",
    "VhostRogue",
    "Write",
    "mutations",
]
