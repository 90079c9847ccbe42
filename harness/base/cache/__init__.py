# SPDX-License-Identifier: Apache-2.0
"""The user's cache: entries keyed by content, within a budget of disk space.

::

    Cache, digest    entries: written atomically under a lock, verified when read (entries.py)
    layout           the names of its files and directories
    kinds            the table of its kinds
    lease            protects a directory from eviction while a process uses it
    usage            the disk space of each item, kept in one file
    inventory        what the cache holds: kind, size, last use, worth
    evict            keeps it within its budget (budget.py)
    store            shares entries between machines
"""

from harness.base.cache.entries import Cache, digest

__all__ = ["Cache", "digest"]
