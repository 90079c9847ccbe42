# SPDX-License-Identifier: Apache-2.0
"""The properties of restricted DMA by id, and what is not guaranteed; read in Linux 6.12 and 7.3.

The tables have what the newest kernels guarantee; :data:`BEFORE` and :data:`ENDED` what was so
before a change of the kernel (harness/base/changes.py), so that one table is true from 6.1 on.
The kernel functions behind each property: ``harness/base/kernel_code.py``.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from harness.base.errors import InputError

PROPERTIES: Mapping[str, str] = MappingProxyType(
    {
        "A1": "every valid node is announced as a pool, with base and size",
        "A2": "a device gets its pool when a driver is bound to it",
        "A3": "a PCI endpoint without a node, or without a memory-region in its node, inherits the "
        "pool of the host bridge",
        "A4": "a PCI child node's own memory-region overrides the pool of the host bridge",
        "A5": "a child node with a memory-region that leads to no restricted pool inherits none",
        "A6": "the host bridge itself is attached to the pool that its node names",
        "A7": "of several memory-regions the first available restricted pool is used",
        "A8": "a disabled pool is skipped, and its memory is not reserved",
        "A9": "a device behind an IOMMU ignores its pool",
        "A12": "the kernel warns of a pool that cannot be set up; the device runs unrestricted",
        "A13": "a kernel without the feature prints nothing, and the memory stays reserved",
        "A14": "a device whose DMA is done by its parent (virtio) uses the parent's pool",
        "A15": "a device that is unbound and bound again gets the same pool, and leaves no trace",
        "B1": "every streaming mapping lies in the pool",
        "B2": "each scatterlist entry is bounced on its own; a failure unmaps all of them",
        "B3": "map copies the CPU buffer to the pool, in every direction",
        "B4": "what the device did not write is unchanged after unmap: no stale data leaks",
        "B5": "unmap copies FROM_DEVICE and BIDIRECTIONAL mappings back, and never TO_DEVICE",
        "B6": "map writes nothing behind the mapping in its last slot (measured, not guaranteed)",
        "B7": "live mappings and coherent buffers never share a slot, on many CPUs too",
        "B8": "mappings of a page or more are page aligned, all others slot aligned",
        "B9": "a mapping keeps the min_align_mask bits of the buffer's address",
        "B10": "a mapping does not cross the device's segment boundary",
        "B11": "every size up to dma_max_mapping_size() fits an empty pool, and no larger size",
        "B12": "a full pool is an error with a message; no other memory is used instead",
        "B13": "what is unmapped can be mapped again; no slot stays fragmented or counted",
        "B14": "with SKIP_CPU_SYNC map still copies to the pool, and unmap does not copy back",
        "B15": "a pool outside the device's DMA mask is an error, and keeps no slot",
        "B16": "with dma-ranges the device gets the pool's translated address",
        "B17": "mapping memory of another device (P2PDMA) fails",
        "B18": "dma_map_resource() and other mappings of MMIO fail: they are never bounced",
        "B19": "trace events show each bounce, and each address that the DMA API returned",
        "B20": "a mapping with DMA_ATTR_REQUIRE_COHERENT fails, and keeps no slot",
        "C1": "sync_for_cpu copies the pool to the CPU, for FROM_DEVICE and BIDIRECTIONAL only",
        "C2": "sync_for_device copies the CPU to the pool, for TO_DEVICE and BIDIRECTIONAL only",
        "C3": "a partial sync changes exactly its range, at any offset",
        "C4": "a partial sync is exact with a min_align_mask offset too",
        "C5": "a sync larger than its mapping is cut, with a warning",
        "C6": "syncs of a dma-coherent device copy once the device bounces",
        "C7": "dma_need_sync() is true for addresses in the pool",
        "C8": "a sync of a scatterlist covers every entry",
        "C9": "a sync in no direction is a BUG",
        "C10": "for a non-coherent device, map, unmap and sync clean or invalidate every cache "
        "line that they hand over, in the pool, on the right side of the copy",
        "C11": "these cache operations are completed before the call returns, and before the pool "
        "is copied to the CPU",
        "D1": "coherent memory lies in the pool, and is zeroed",
        "D2": "pages, noncoherent and noncontiguous memory lie in the pool",
        "D3": "allocations are aligned to the page order of their size",
        "D4": "an allocation that does not fit returns NULL; no other memory is used instead",
        "D5": "256 KiB of coherent memory need a pool whose base is a multiple of 256 KiB",
        "D6": "free returns every slot to the pool",
        "D7": "a pool outside the coherent mask makes an allocation NULL, and keeps no slot",
        "D8": "NO_KERNEL_MAPPING is ignored: the kernel maps the memory",
        "D9": "a non-coherent device gets an alias, which free removes; atomic allocation fails",
        "D10": "a device's own shared-dma-pool is used before its restricted pool",
        "D11": "dma_pool and managed allocations keep all properties of coherent memory",
        "D12": "a non-coherent device gets coherent memory without dirty cache lines",
        "E1": "devices on one pool share one allocator and its counters",
        "E2": "two pools are isolated: addresses, counters, exhaustion",
        "E3": "the default pool is not used while only restricted devices do DMA",
        "E4": "a pool is zeroed when its first device is attached, and only then",
        "E5": "no page of a pool belongs to the page allocator",
        "E6": "a pool whose size is not a multiple of 256 KiB uses all its slots, and none outside",
        "E7": "a pool smaller than a slot has no slots, and every mapping fails with a message",
        "E8": "in a pool whose base is not slot aligned no mapping fits",
        "E9": "no-map, reusable and default pools are refused, and the device is unrestricted",
        "E10": "overlapping nodes are reported",
        "E11": "the kernel places a pool that has size and alignment only",
        "E12": "of several reg entries the first is used; the others are ordinary memory",
        "E13": "more nodes than the kernel supports are an error message, not a crash",
        "E14": "a pool larger than 341 MiB cannot be set up",
        "E15": "swiotlb= on the command line changes nothing for a restricted device",
        "E16": "with SWIOTLB_DYNAMIC a restricted pool never grows",
        "E17": "debugfs counts slots and used slots, and their peak with swiotlb=track_hiwater",
        "E19": "a pool that cannot be shared with the host is not attached",
        "F1": "bind and unbind, plug and unplug, any number of times, leave no trace",
        "F2": "devices that are attached to a pool at the same time all get that pool",
        "F3": "mappings, coherent memory and the pool survive a suspend to idle",
        "F4": "hibernation saves and restores what is in a pool",
        "F5": "no part of the next kernel is put into a pool, and it sets the pools up anew",
        "F6": "the pool decides where memory is, not the device's NUMA node",
        "F7": "CPUs that go online and offline change nothing",
        "F8": "a device removed with live mappings leaks its slots; the pool stays consistent",
    }
)

FENCE = "FENCE"
"""The id of the tests that a fence holds."""

UNTESTED: Mapping[str, str] = MappingProxyType(
    {
        "E19": "on arm64 only realms and protected guests share memory with their host "
        "(set_memory_decrypted()); QEMU emulates neither",
        "G7": "VFIO gives a device to user space; the suite tests drivers of the kernel",
        "G9": "QEMU loads the kernel directly: no firmware or boot loader runs before it",
        "G10": "it needs UEFI firmware, and then no devicetree describes a pool",
    }
)
"""What cannot be tested on this machine, by id, and why."""

NOT_GUARANTEED: Mapping[str, str] = MappingProxyType(
    {
        "G1": "virtio without ACCESS_PLATFORM does not use the DMA API",
        "G2": "virtio-balloon never has ACCESS_PLATFORM",
        "G3": "dma_map_resource() returns the address it is given",
        "G4": "peer-to-peer bus addresses are not bounced",
        "G5": "an MSI is a write by the device that no DMA API call mapped",
        "G6": "a device behind an IOMMU uses the IOMMU instead of its pool",
        "G7": "VFIO lets user space map DMA",
        "G8": "a struct device that a driver creates itself is not configured from the devicetree",
        "G9": "firmware and boot loaders do DMA before Linux starts",
        "G10": "a machine booted with ACPI has no restricted pools",
    }
)


BEFORE: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "A5": (
            (
                "absent-region-inherits",
                "a child node whose memory-regions are not restricted pools inherits none; with an "
                "empty or malformed memory-region it inherits",
            ),
        ),
        "B18": (("map-phys", "dma_map_resource() does not bounce"),),
        "B19": (("dma-trace", "trace events show each bounce"),),
        "B20": (("require-coherent", ""),),
        "E12": (("one-reg", "of several reg entries the first is used; all are reserved"),),
        "E16": (("defpool", ""),),
        "E17": (
            ("used-hiwater", "debugfs counts slots and used slots"),
            ("track-hiwater", "debugfs counts slots, used slots and their peak"),
        ),
        "E19": (("shared-pools", ""),),
    }
)
"""What a property said before a change, the oldest change first; empty: there was no such one."""

ENDED: Mapping[str, str] = MappingProxyType({"G3": "map-phys"})
"""What was not guaranteed until a change, and is no way around a pool since."""


def text_for(name: str, has: Callable[[str], bool]) -> str:
    """What property or exception *name* says on a kernel; empty if there is none of that name.

    *has* tells whether that kernel has a change of harness/base/changes.py.
    """
    if name in ENDED and has(ENDED[name]):
        return ""
    for change, text in BEFORE.get(name, ()):
        if not has(change):
            return text
    return PROPERTIES.get(name) or NOT_GUARANTEED.get(name, "")


def property_order(name: str) -> tuple[str, int, str]:
    """Sort key of property ids: B2 before B12; an id without a number, such as FENCE, as text."""
    found = re.fullmatch(r"([A-Z]+)(\d+)", name)
    return (found[1], int(found[2]), "") if found else (name, 0, name)


def checked_id(name: str) -> str:
    """Return the property id *name* that a person has asked for; InputError if there is none."""
    if name not in (*PROPERTIES, *NOT_GUARANTEED, FENCE):
        raise InputError(
            f"unknown property '{name}': expected an id such as B1. 'harness properties' lists "
            "them all"
        )
    return name


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return each of the property ids *names* once, in natural order."""
    return tuple(sorted(set(names), key=property_order))
