# SPDX-License-Identifier: Apache-2.0
"""The kinds of guest memory that a byte may lie in."""

from enum import Enum


class MemoryUse(Enum):
    """What a byte of guest RAM belongs to; the value is how a report says it."""

    POOL = "restricted pool"
    DEFAULT_POOL = "default bounce pool"
    TEXT = "kernel text"
    RODATA = "kernel rodata"
    DATA = "kernel data"
    BSS = "kernel bss"
    PAGE_TABLE = "page table"
    FREE = "free page"
    SLAB = "slab"
    PAGE_CACHE = "page cache"
    ANONYMOUS = "anonymous page"
    ALLOCATED = "kernel page"
    RESERVED = "reserved memory"
    HOLE = "RAM that the kernel does not manage"
