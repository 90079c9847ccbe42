# SPDX-License-Identifier: Apache-2.0
"""The call that gave a device an address is found in the kernel's trace, with its caller."""

import pytest

from harness.jobs.check.origin import callers, last_call

EVENTS = """\
5:  irq/16-60  [000] .....  10.25: dma_alloc: 0000:01:00.0 dir=BIDIRECTIONAL dma_addr=486ab000 \
size=2048 virt_addr=0000000026fe4e4b flags=GFP_KERNEL attrs=
19:  ifconfig-153  [000] .....  11.37: dma_map_page: 0000:01:00.0 dir=FROM_DEVICE \
dma_addr=4814d840 size=1522 phys_addr=4814d840 attrs=
31:  scsi_eh_0-149  [000] dN...  10.94: dma_map_sg: 0000:01:00.0 dir=FROM_DEVICE nents=2/2 \
ents=2/2 dma_addrs={0x48536900,0x50000000} sizes={0x200,0x1000} phys_addrs={0x48536900} attrs=
47:  irq/16-60  [000] .....  11.40: dma_alloc: 0000:01:00.0 dir=BIDIRECTIONAL dma_addr=486ab000 \
size=4096 virt_addr=0000000026fe4e4b flags=GFP_KERNEL attrs=
""".splitlines()
"""Lines of Debian's 6.12.117 as ``grep -n`` prints them."""

STACK = """\
 => trace_event_raw_event_dma_map_sg
 => __dma_map_sg_attrs
 => dma_map_sg_attrs
 => ata_qc_issue
 => ata_exec_internal
 => local_pci_probe
 => pci_device_probe
""".splitlines()


@pytest.mark.parametrize(
    ("address", "line", "event"),
    [
        (0x4814_D840, 19, "dma_map_page"),
        (0x4814_D840 + 1521, 19, "dma_map_page"),
        (0x4853_6900, 31, "dma_map_sg"),
        (0x5000_0FFF, 31, "dma_map_sg"),
    ],
)
def test_the_call_whose_range_has_the_address_is_found(address: int, line: int, event: str) -> None:
    call = last_call(EVENTS, address)

    assert call is not None
    assert call[:2] == (line, event)


@pytest.mark.parametrize("address", [0x4814_D83F, 0x4814_D840 + 1522, 0x5000_1000])
def test_an_address_beside_every_range_has_no_call(address: int) -> None:
    assert last_call(EVENTS, address) is None


def test_the_last_of_several_calls_is_taken() -> None:
    assert last_call(EVENTS, 0x486A_B000) == (47, "dma_alloc", 0x486A_B000, 4096)


def test_the_callers_are_those_between_the_dma_api_and_the_probing_of_the_device() -> None:
    assert callers(STACK) == ("ata_qc_issue", "ata_exec_internal")


def test_a_stack_ends_at_the_next_event() -> None:
    assert callers([" => dma_alloc_attrs", " => nvme_alloc_queue", EVENTS[0]]) == (
        "nvme_alloc_queue",
    )
