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
``DmaError``           the kernel said no: ``MappingError``, ``AllocationError``, ``SettingError``
``RequestRefused``     the request made no sense to the probe
``calls``              every call as a value, for batches and for ``Work`` on several CPUs
=====================  ===========================================================================
"""

from harness.dma import calls
from harness.dma.allocation import Allocation
from harness.dma.answers import Allocated, DeviceInfo, Held, Live, Mapped, Segment
from harness.dma.batch import Batch, Pending
from harness.dma.buffer import Buffer
from harness.dma.calls import Call, SgEntry
from harness.dma.device import Device
from harness.dma.mapping import Mapping, SgMapping, Slice
from harness.dma.pattern import Byte, Pattern, Seed
from harness.dma.probe import Probe
from harness.dma.region import Region
from harness.dma.session import Session, Work, Worked
from harness.dma.values import (
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
    Refusal,
    RequestRefused,
    SettingError,
)
from harness.dma.wire import MapCall, Setting, Space, SyncTarget

__all__ = [
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
    "Live",
    "MapCall",
    "Mapped",
    "Mapping",
    "MappingError",
    "Pattern",
    "Pending",
    "Probe",
    "Refusal",
    "Region",
    "RequestRefused",
    "Seed",
    "Segment",
    "Session",
    "Setting",
    "SettingError",
    "SgEntry",
    "SgMapping",
    "Slice",
    "Space",
    "SyncTarget",
    "Work",
    "Worked",
    "calls",
]
