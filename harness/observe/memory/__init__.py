# SPDX-License-Identifier: Apache-2.0
"""Guest memory: read and search RAM, read the kernel's structures, classify addresses."""

from harness.base.address_range import AddressRange
from harness.observe.memory.atlas import Atlas, Hit, Search, managed_memory
from harness.observe.memory.attachments import Attachment, attachments
from harness.observe.memory.dump import ElfDump
from harness.observe.memory.guest import live_memory
from harness.observe.memory.image import KernelImage, locate
from harness.observe.memory.kernel import KernelTypes
from harness.observe.memory.known import KnownTypes
from harness.observe.memory.memory_use import MemoryUse
from harness.observe.memory.pages import page_uses, pages_not_reserved
from harness.observe.memory.pools import (
    DEFAULT_POOL,
    PoolState,
    ReservedRegion,
    Slot,
    as_now,
    default_pool,
    device_pool,
    require_recognised,
    reserved_regions,
    restricted_pools,
    slot_runs,
    slots,
    slots_in_use,
)
from harness.observe.memory.ram import LiveMemory, Memory, PausedMemory, RamSegment
from harness.observe.memory.run_queues import RunQueues
from harness.observe.memory.search import find
from harness.observe.memory.symbols import Symbol, Symbols
from harness.observe.memory.tags import untagged
from harness.observe.memory.virtqueue import Virtqueue, buffers, virtqueue

__all__ = [
    "DEFAULT_POOL",
    "AddressRange",
    "Atlas",
    "Attachment",
    "ElfDump",
    "Hit",
    "KernelImage",
    "KernelTypes",
    "KnownTypes",
    "LiveMemory",
    "Memory",
    "MemoryUse",
    "PausedMemory",
    "PoolState",
    "RamSegment",
    "ReservedRegion",
    "RunQueues",
    "Search",
    "Slot",
    "Symbol",
    "Symbols",
    "Virtqueue",
    "as_now",
    "attachments",
    "buffers",
    "default_pool",
    "device_pool",
    "find",
    "live_memory",
    "locate",
    "managed_memory",
    "page_uses",
    "pages_not_reserved",
    "require_recognised",
    "reserved_regions",
    "restricted_pools",
    "slot_runs",
    "slots",
    "slots_in_use",
    "untagged",
    "virtqueue",
]
