# SPDX-License-Identifier: Apache-2.0
"""Constants of the DMA API with the kernel's numbers, and the errors of its calls."""

import errno
from enum import IntEnum, IntFlag

from harness.base.errors import InputError


class Direction(IntEnum):
    """``enum dma_data_direction``, ``include/linux/dma-direction.h``."""

    BIDIRECTIONAL = 0
    TO_DEVICE = 1
    FROM_DEVICE = 2
    NONE = 3


DIRECTIONS = (Direction.TO_DEVICE, Direction.FROM_DEVICE, Direction.BIDIRECTIONAL)
"""Those of a mapping."""

READING = (Direction.TO_DEVICE, Direction.BIDIRECTIONAL)
WRITING = (Direction.FROM_DEVICE, Direction.BIDIRECTIONAL)
"""Those in which the device reads, and writes."""


class Attr(IntFlag):
    """``DMA_ATTR_*`` of ``include/linux/dma-mapping.h``, 6.1 to 7.3; older kernels ignore new ones.

    MMIO came with 6.18, REQUIRE_COHERENT with 7.0, CC_SHARED with 7.3.
    """

    DEFAULT = 0
    WEAK_ORDERING = 1 << 1
    WRITE_COMBINE = 1 << 2
    NO_KERNEL_MAPPING = 1 << 4
    SKIP_CPU_SYNC = 1 << 5
    FORCE_CONTIGUOUS = 1 << 6
    ALLOC_SINGLE_PAGES = 1 << 7
    NO_WARN = 1 << 8
    PRIVILEGED = 1 << 9
    MMIO = 1 << 10
    REQUIRE_COHERENT = 1 << 12
    CC_SHARED = 1 << 13


class Gfp(IntEnum):
    """What an allocation may do to get memory: ``enum probe_gfp``."""

    KERNEL = 1
    ATOMIC = 2
    BOTTOM_HALF = 3
    """``GFP_ATOMIC``, from a caller that has disabled bottom halves."""


class BufferKind(IntEnum):
    """Where a buffer comes from: ``enum probe_buffer_kind``."""

    KMALLOC = 1
    PAGES = 2
    PEER = 3


class AllocCall(IntEnum):
    """The function that allocates: ``enum probe_alloc_call``."""

    COHERENT = 1
    PAGES = 2
    NONCOHERENT = 3
    NONCONTIGUOUS = 4
    POOL = 5
    MANAGED = 6


class Bus(IntEnum):
    """The bus that a device sits on: ``enum probe_bus``."""

    PCI = 1
    PLATFORM = 2


class ProbeRefusal(IntEnum):
    """Why the probe did not make a call: ``enum probe_refusal``."""

    UNKNOWN_OP = 1
    BAD_LENGTH = 2
    NO_DEVICE = 3
    NO_HANDLE = 4
    HANDLE_USED = 5
    BAD_RANGE = 6
    BAD_VALUE = 7
    NO_MEMORY = 8
    BUSY = 9
    UNREACHABLE = 10
    REPLY_FULL = 11


class RequestRefused(InputError):
    """The probe did not make a call, because the request is not valid; *refusal* says why."""

    def __init__(self, what: str, refusal: ProbeRefusal) -> None:
        super().__init__(f"the probe refused {what}: {refusal.name}")
        self.refusal = refusal


class DmaError(Exception):
    """The kernel under test refused a call. A result, not an error of the harness.

    *errno* is positive, one of the module :mod:`errno`.
    """

    def __init__(self, what: str, number: int) -> None:
        super().__init__(f"{what}: the kernel said {errno.errorcode.get(number, number)}")
        self.errno = number

    @property
    def code(self) -> str:
        """The error's name, such as ``ENOMEM``."""
        return errno.errorcode.get(self.errno, str(self.errno))


class MappingError(DmaError):
    """``DMA_MAPPING_ERROR``: nothing was mapped."""


class AllocationError(DmaError):
    """NULL: nothing was allocated."""


class ContentError(DmaError):
    """Memory does not hold what it must."""


class SettingError(DmaError):
    """The kernel did not take a mask or another parameter of a device."""
