# SPDX-License-Identifier: Apache-2.0
"""The call that gave a device an address is found in the kernel's trace, with its caller."""

from typing import cast

import pytest

from harness.base.space import GIB, MIB
from harness.jobs.check.origin import TracedCall, callers, last_call, recorded_calls, traced_calls
from harness.machine.qemu.guest import Guest

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

PROBED = """\
7:  kworker/u4:1-30  [001] dN...  8.57: dma_alloc: (dma_alloc_attrs+0x0/0x100) size=512
14:  ifconfig-153  [000] .....  8.58: dma_map_page: (dma_map_page_attrs+0x0/0x250) size=4096
30:  kworker/u4:1-30  [001] .....  8.58: dma_alloc_return: (nvme_alloc_queue+0x70/0x160 [nvme] \
<- dma_alloc_attrs) value=0xffff000008071000
37:  ifconfig-153  [000] .....  8.61: dma_map_page_return: (e1000_xmit+0x5f0/0x82c [e1000e] \
<- dma_map_page_attrs) value=0x48275040
""".splitlines()
"""Lines of Debian's 6.1.192, where kprobes stand in."""

STACK = """\
 => trace_event_raw_event_dma_map_sg
 => __dma_map_sg_attrs
 => dma_map_sg_attrs
 => ata_qc_issue
 => ata_exec_internal
 => local_pci_probe
 => pci_device_probe
""".splitlines()


def call_with(address: int, lines: list[str], ram_size: int = 512 * MIB) -> TracedCall | None:
    return last_call(traced_calls(lines, ram_size), address)


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
    call = call_with(address, EVENTS)

    assert call is not None
    assert (call.number, call.event) == (line, event)


@pytest.mark.parametrize("address", [0x4814_D83F, 0x4814_D840 + 1522, 0x5000_1000])
def test_an_address_beside_every_range_has_no_call(address: int) -> None:
    assert call_with(address, EVENTS) is None


def test_the_last_of_several_calls_is_taken() -> None:
    expected = TracedCall(47, "dma_alloc", 0x486A_B000, 4096)
    assert call_with(0x486A_B000, EVENTS) == expected


def test_the_call_of_another_device_is_not_taken() -> None:
    other = [line.replace("0000:01:00.0", "0000:02:00.0") for line in EVENTS]
    assert call_with(0x486A_B000, other) is None


@pytest.mark.parametrize(
    ("address", "call"),
    [
        (0x4807_1000, TracedCall(30, "dma_alloc", 0x4807_1000, 512)),
        (0x4827_503F + 4096, TracedCall(37, "dma_map_page", 0x4827_5040, 4096)),
        (0x4807_1200, None),
    ],
)
def test_a_kprobe_has_the_size_at_the_beginning_and_the_address_at_the_end(
    address: int, call: TracedCall | None
) -> None:
    assert call_with(address, PROBED) == call


def test_an_allocation_is_not_located_in_ram_where_its_address_is_ambiguous() -> None:
    assert call_with(0x4807_1000, PROBED, ram_size=GIB) is None


def test_the_callers_are_those_between_the_dma_api_and_the_probing_of_the_device() -> None:
    assert callers(STACK) == ("ata_qc_issue", "ata_exec_internal")


def test_a_stack_ends_at_the_next_event() -> None:
    assert callers([" => dma_alloc_attrs", " => nvme_alloc_queue", EVENTS[0]]) == (
        "nvme_alloc_queue",
    )


class Recorded:
    """A guest with a trace."""

    def __init__(self, text: str) -> None:
        self.agent = self
        self.machine = self
        self.ram_size = 512 * MIB
        self.text = text

    def run(self, _: str) -> "Recorded":
        """Whatever is asked for, the trace."""
        return self


def test_all_calls_of_a_trace_are_read_with_their_functions() -> None:
    event = EVENTS[2].partition(":")[2]
    lines = [event, " scsi_eh_0-149  [000] dN... 10.94: <stack trace>", *STACK, event]

    calls = recorded_calls(cast(Guest, Recorded("\n".join(lines))))

    assert [(one.base, one.size) for one in calls[:2]] == [(0x4853_6900, 512), (0x5000_0000, 4096)]
    assert [one.caller for one in calls] == ["ata_qc_issue"] * 2 + ["an unknown function"] * 2
