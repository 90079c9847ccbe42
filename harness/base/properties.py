# SPDX-License-Identifier: Apache-2.0
"""What restricted DMA properties, by id, and what it does not; read in Linux 6.12.117.

Where a property stands in the kernel's source is said by the tests that prove it.
"""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType

PROPERTIES: Mapping[str, str] = MappingProxyType(
    {
        "A1": "every valid node is announced as a pool, with base and size",
        "A2": "a device is assigned its pool when a driver binds to it",
        "A3": "a PCI endpoint without a node inherits the host bridge's pool",
        "A4": "a PCI child node's own memory-region wins over the host bridge's",
        "A5": "a child with other memory-regions only does not inherit",
        "A6": "the host bridge itself is attached to the pool that its node names",
        "A7": "of several memory-regions the first available restricted one is taken",
        "A8": "a disabled pool is skipped, and its memory is not reserved",
        "A9": "a device behind an IOMMU ignores its pool",
        "A12": "a pool that cannot be set up is warned of; the device runs unrestricted",
        "A13": "a kernel without the feature is silent, and the memory stays reserved",
        "A14": "a device whose DMA another device does (virtio) uses that device's pool",
        "A15": "a device that is unbound and bound again has the same pool, and leaves nothing",
        "B1": "every streaming mapping lies in the pool",
        "B2": "each scatterlist entry is bounced by itself; a failure unwinds all of them",
        "B3": "at map the pool's bytes are the CPU buffer's, in every direction",
        "B4": "what the device did not write keeps its content after unmap: nothing stale leaks",
        "B5": "unmap copies back FROM_DEVICE and BIDIRECTIONAL, never TO_DEVICE",
        "B6": "map writes nothing beyond the mapping into its last slot (measured, not guaranteed)",
        "B7": "live mappings and coherent buffers never share a slot, with many CPUs too",
        "B8": "mappings of a page and more are page aligned, all are slot aligned",
        "B9": "the bits of min_align_mask are those of the buffer's address",
        "B10": "a mapping does not cross the device's segment boundary",
        "B11": "every size up to dma_max_mapping_size() fits an empty pool, none above does",
        "B12": "a full pool is an error with a message, and never another memory",
        "B13": "what is unmapped can be mapped again; nothing stays fragmented or counted",
        "B14": "SKIP_CPU_SYNC: map copies in all the same, unmap does not copy out",
        "B15": "a pool that the device's mask does not reach is an error, and holds no slot",
        "B16": "with dma-ranges the device is given the pool's translated address",
        "B17": "memory of another device (P2PDMA) is refused",
        "B18": "dma_map_resource() is not bounced",
        "B19": "trace events show each bounce, and each address that the DMA API gave",
        "C1": "sync_for_cpu copies the pool to the CPU for FROM_DEVICE and BIDIRECTIONAL only",
        "C2": "sync_for_device copies the CPU to the pool for TO_DEVICE and BIDIRECTIONAL only",
        "C3": "a partial sync changes exactly its range, at any offset",
        "C4": "a partial sync is exact with a min_align_mask offset too",
        "C5": "a sync larger than its mapping is warned of and cut",
        "C6": "syncs of a dma-coherent device are carried out once it bounces",
        "C7": "dma_need_sync() is true for addresses in the pool",
        "C8": "a sync of a scatterlist covers every entry",
        "C9": "a sync in no direction is a BUG",
        "D1": "coherent memory lies in the pool, and is zeroed",
        "D2": "pages, noncoherent and noncontiguous memory lie in the pool",
        "D3": "allocations are aligned to the page order of their size",
        "D4": "an allocation that does not fit is NULL, and never other memory",
        "D5": "256 KiB of coherent memory need a pool whose base is a multiple of that",
        "D6": "free gives back every slot",
        "D7": "a pool that the coherent mask does not reach gives NULL, and holds no slot",
        "D8": "NO_KERNEL_MAPPING is ignored: the kernel does map the memory",
        "D9": "a non-coherent device gets an alias, which free ends; atomic allocation fails",
        "D10": "a device's own shared-dma-pool comes before its restricted pool",
        "D11": "dma_pool and managed allocations keep all of this",
        "E1": "devices on one pool have one allocator and one account",
        "E2": "two pools are isolated: addresses, counters, exhaustion",
        "E3": "the default pool is not used while only restricted devices work",
        "E4": "a pool is zeroed when its first device is attached, and only then",
        "E5": "no page of a pool ever belongs to the page allocator",
        "E6": "of a size that is no multiple of 256 KiB all slots can be used, and none outside",
        "E7": "a pool of less than one slot has none, and every mapping fails with a message",
        "E8": "in a pool whose base is no multiple of a slot nothing ever fits",
        "E9": "no-map, reusable and default pools are refused, the device is unrestricted",
        "E10": "overlapping nodes are reported",
        "E11": "the kernel places a pool that has size and alignment only",
        "E12": "of several reg entries the first is taken",
        "E13": "more nodes than the kernel has room for are an error message, no crash",
        "E14": "a pool of more than 341 MiB cannot be set up",
        "E15": "swiotlb= on the command line changes nothing for a restricted device",
        "E16": "with SWIOTLB_DYNAMIC a restricted pool never grows",
        "E17": "debugfs counts slots, used slots and their peak",
        "F1": "bind and unbind, plug and unplug, any number of times, leave no trace",
        "F2": "devices that are attached to one pool at the same time all get it",
        "F6": "the pool decides where memory is, not the device's NUMA node",
        "F7": "CPUs that come and go change nothing",
        "F8": "a device removed with live mappings leaks its slots, and the pool stays sound",
    }
)

UNTESTED: Mapping[str, str] = MappingProxyType(
    {
        "G7": "it is about user space that is given a device, not about a driver of the kernel",
        "G9": "QEMU loads the kernel itself: nothing runs on the machine before it",
        "G10": "it needs UEFI firmware, and there is no devicetree then to describe a pool",
    }
)
"""Properties and escapes that cannot be tested on this kind of machine, and why."""

NOT_GUARANTEED: Mapping[str, str] = MappingProxyType(
    {
        "G1": "virtio without ACCESS_PLATFORM does not use the DMA API",
        "G2": "virtio-balloon never has ACCESS_PLATFORM",
        "G3": "dma_map_resource() hands out the address it is given",
        "G4": "peer-to-peer bus addresses pass untouched",
        "G5": "an MSI is a write that no DMA API call made",
        "G6": "a device behind an IOMMU has the IOMMU instead",
        "G7": "VFIO leaves DMA to its user",
        "G8": "a driver's own struct device was never configured from the devicetree",
        "G9": "firmware and boot loaders do DMA before Linux runs",
        "G10": "a machine booted with ACPI has no restricted pools",
    }
)


def property_order(name: str) -> tuple[str, int, str]:
    """The key that sorts property ids: B2 before B12; ids without a number, as FENCE, are words."""
    found = re.fullmatch(r"([A-Z]+)(\d+)", name)
    return (found[1], int(found[2]), "") if found else (name, 0, name)


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Each of the property ids *names* once, in their natural order."""
    return tuple(sorted(set(names), key=property_order))
