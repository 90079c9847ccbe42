# SPDX-License-Identifier: Apache-2.0
"""DMA API calls in the guest, as a driver makes them.

=====================  ===========================================================================
``Probe``              the devices of a guest, buffers, batches of calls
``Device``             maps, allocates, has masks
``Buffer``             memory of the CPU's
``Mapping``            a streaming mapping; ``SgMapping`` one of a scatterlist of ``Slice``
``Allocation``         coherent memory, pages and the like
``Direction, Attr``    the DMA API's constants; also ``Gfp``, ``AllocCall``, ``BufferKind``, ``Bus``
``Byte, Seed``         contents that guest and harness both know
``DmaError``           a call refused by the kernel, such as ``MappingError``, ``AllocationError``
``RequestRefused``     the probe refused an invalid request
``calls``              every call as a value, for batches and for ``StressCalls`` on several CPUs
=====================  ===========================================================================
"""

from harness.devices.probe import calls
from harness.devices.probe.allocation import Allocation
from harness.devices.probe.answers import Allocated, DeviceInfo, Held, Live, Mapped, Segment
from harness.devices.probe.batch import Batch, Pending
from harness.devices.probe.buffer import Buffer
from harness.devices.probe.calls import Call, SgEntry
from harness.devices.probe.device import Device
from harness.devices.probe.held_memory import HeldMemory
from harness.devices.probe.mapping import Mapping, SgMapping, Slice
from harness.devices.probe.pattern import Byte, Pattern, Seed
from harness.devices.probe.probe import Probe
from harness.devices.probe.session import ProbeSession, StressCalls, StressOutcome
from harness.devices.probe.values import (
    DIRECTIONS,
    READING,
    WRITING,
    AllocationError,
    AllocCall,
    Attr,
    BufferKind,
    Bus,
    ContentError,
    Direction,
    DmaError,
    Gfp,
    MappingError,
    ProbeRefusal,
    RequestRefused,
    SettingError,
)
from harness.devices.probe.wire import MapCall, Setting, Space, SyncTarget

__all__ = [
    "DIRECTIONS",
    "READING",
    "WRITING",
    "AllocCall",
    "Allocated",
    "Allocation",
    "AllocationError",
    "Attr",
    "Batch",
    "Buffer",
    "BufferKind",
    "Bus",
    "Byte",
    "Call",
    "ContentError",
    "Device",
    "DeviceInfo",
    "Direction",
    "DmaError",
    "Gfp",
    "Held",
    "HeldMemory",
    "Live",
    "MapCall",
    "Mapped",
    "Mapping",
    "MappingError",
    "Pattern",
    "Pending",
    "Probe",
    "ProbeRefusal",
    "ProbeSession",
    "RequestRefused",
    "Seed",
    "Segment",
    "Setting",
    "SettingError",
    "SgEntry",
    "SgMapping",
    "Slice",
    "Space",
    "StressCalls",
    "StressOutcome",
    "SyncTarget",
    "calls",
]
