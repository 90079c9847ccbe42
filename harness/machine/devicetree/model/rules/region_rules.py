# SPDX-License-Identifier: Apache-2.0
"""Which nodes of /reserved-memory become regions."""

from harness.machine.devicetree.model.environment import since
from harness.machine.devicetree.model.rules.rule import (
    DEVICE_C,
    FDT_C,
    RESERVED_MEM_C,
    SWIOTLB_C,
    Level,
    Rule,
)

REGION_RULES = (
    Rule(
        "cells-differ",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:__reserved_mem_check_root()",
        "The kernel ignores /reserved-memory as a whole if its #address-cells or #size-cells are "
        "missing or differ from those of the root, or if it has no 'ranges'. It logs "
        "'unsupported node format, ignoring'.",
        "Give /reserved-memory the root's #address-cells and #size-cells, and an empty 'ranges'.",
    ),
    Rule(
        "refused-flags",
        Level.ERROR,
        "",
        f"{SWIOTLB_C}:rmem_swiotlb_setup()",
        "The kernel refuses a restricted pool that has no-map, reusable, linux,cma-default or "
        "linux,dma-default. It logs 'compatible matching fail' and gives the memory back.",
        "Remove the property.",
    ),
    Rule(
        "second-compatible",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:__reserved_mem_init_node()",
        "The kernel asks the handlers of reserved memory in the order in which they are linked: "
        "shared-dma-pool first. A node with both compatibles becomes a pool for coherent or "
        "contiguous memory, and every streaming mapping of its devices is unrestricted.",
        "Give the node only the compatible 'restricted-dma-pool'.",
        "second-compatible",
    ),
    Rule(
        "coherent-mapped",
        Level.ERROR,
        "",
        "kernel/dma/coherent.c:dma_init_coherent_memory()",
        "A node that is also compatible with shared-dma-pool becomes a pool of coherent memory, "
        "which arm64 cannot map unless the node has no-map. The kernel warns 'memremap attempted "
        "on ram' and that it cannot initialise the pool; the device is unrestricted.",
        "Give the node only the compatible 'restricted-dma-pool'.",
        "second-compatible",
    ),
    Rule(
        "bad-reg",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:__reserved_mem_reserve_reg()",
        "The kernel skips a node whose 'reg' is not a whole number of entries, an address and a "
        "size with the root's cells each. (Since 6.19 it then uses 'size', if there is one.)",
        "Write each entry of 'reg' with the cells of the root.",
    ),
    Rule(
        "size-zero",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:__reserved_mem_reserve_reg()",
        "The kernel reserves nothing for a node whose 'reg' has size 0, and makes no pool of it. "
        "(Before 6.12 it then uses 'size', if there is one.)",
        "Write the pool's size in 'reg', after its address.",
    ),
    Rule(
        "empty-reg",
        Level.ERROR,
        f"{since('late-reserved-memory')},<6.19",
        f"{RESERVED_MEM_C}:fdt_scan_reserved_mem_reg_nodes()",
        "The kernel takes a 'reg' without any bytes for an entry, and reads address and size from "
        "the bytes that follow it in the blob.",
        "Give the pool a 'reg' with address and size, or 'size' and no 'reg'.",
        "empty-reg",
    ),
    Rule(
        "no-place",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:fdt_scan_reserved_mem()",
        "The kernel skips a node that has neither 'reg' nor 'size'.",
        "Give the pool a 'reg', or a 'size' if the kernel is to choose the place.",
    ),
    Rule(
        "bad-size",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:__reserved_mem_alloc_size()",
        "The kernel skips a node whose 'size' does not have the root's #size-cells, whose "
        "'alignment' does not have the root's #address-cells, or whose 'alloc-ranges' is not a "
        "whole number of entries.",
        "Write 'size' with the root's #size-cells and 'alignment' with its #address-cells.",
    ),
    Rule(
        "no-room",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:__reserved_mem_alloc_size()",
        "The kernel finds no free memory for a pool that it has to place, logs 'failed to allocate "
        "memory for node', and makes no pool.",
        "Ask for less, or widen 'alloc-ranges'.",
    ),
    Rule(
        "too-many",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:fdt_scan_reserved_mem()",
        "The kernel keeps 64 regions that it places itself and skips the others with an error. "
        "(Before 6.12: 64 regions in all. The memory of the others stays reserved if they have an "
        "address, but no device gets it.)",
        "Give the pools addresses, or use fewer.",
    ),
    Rule(
        "not-in-reserved-memory",
        Level.ERROR,
        "",
        f"{RESERVED_MEM_C}:of_reserved_mem_device_init_by_idx()",
        "Only direct children of /reserved-memory become regions. A device that refers to a "
        "restricted-dma-pool elsewhere is unrestricted, with a warning.",
        "Move the pool's node to /reserved-memory.",
    ),
    Rule(
        "namesake",
        Level.ERROR,
        ">=6.12",
        f"{RESERVED_MEM_C}:of_reserved_mem_lookup()",
        "The kernel finds the region of a memory-region by the name of its node. A device that "
        "refers to one of two nodes with the same name gets whichever was set up first.",
        "Give every region a name of its own, with its address.",
        "namesake",
    ),
    Rule(
        "status-empty",
        Level.WARNING,
        "",
        f"{FDT_C}:of_fdt_device_is_available()",
        "A 'status' without a value disables a region. Since 6.19 the memory is reserved all the "
        "same, but no device gets it.",
        'Write status = "okay", or remove the property.',
    ),
    Rule(
        "pool-disabled",
        Level.ERROR,
        "",
        f"{DEVICE_C}:of_dma_set_restricted_buffer()",
        "The kernel skips a pool whose status is not 'okay', without a message.",
        "Enable the pool's node.",
    ),
)
