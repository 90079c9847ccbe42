# SPDX-License-Identifier: Apache-2.0
"""MemoryUse: what the kernel uses an address for."""

from enum import Enum


class MemoryUse(Enum):
    """The use of a byte of guest RAM; the value is its text in reports."""

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
