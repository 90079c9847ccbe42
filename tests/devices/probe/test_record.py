# SPDX-License-Identifier: Apache-2.0
"""What a driver did is recorded as C, with the results."""

from typing import Any

import pytest

from harness.devices.probe import AllocCall, Attr, BufferKind, Byte, Direction, Gfp, MapCall, calls
from harness.devices.probe.answers import Allocated, BufferAddresses, DeviceInfo, Mapped, Segment
from harness.devices.probe.calls import Call, SgEntry
from harness.devices.probe.record import CallRecord
from harness.devices.probe.values import AllocationError, Bus, MappingError, SettingError
from harness.devices.probe.wire import Setting, Space, SyncTarget

INFO = DeviceInfo(1, "probe-a", "/probe-a", Bus.PLATFORM, False, 0, 0, 0, 0, 0, 0)
BUFFER = 0x41485000
TO, FROM = Direction.TO_DEVICE, Direction.FROM_DEVICE
FULL, NULL = MappingError("", 12), AllocationError("", 12)
MAPPED = Mapped(0x4F007000, 0x4F007000)

Step = tuple[Call[Any], Any]


def mapping(size: int = 4096, **more: Any) -> Call[Mapped]:
    return calls.map_buffer(5, 1, MapCall.SINGLE, 2, 0, size, TO, **more)


def page(offset: int) -> Call[Mapped]:
    return calls.map_buffer(5, 1, MapCall.PAGE, 2, offset, 100, TO)


MAP = (mapping(), MAPPED)
SG = calls.map_sg(5, 1, [SgEntry(2, 0, 100), SgEntry(2, 4096, 200)], FROM)
SEGMENTS = (Segment(0x4F000000, 0x4F000000, 100), Segment(0x4F000800, 0x4F000800, 200))
LIST = "[0x4f000000 100, 0x4f000800 200]"
COHERENT = (calls.alloc(7, 1, AllocCall.COHERENT, 8192), Allocated(1, 0x4F002000, 0x4F002000))

LAST: dict[str, tuple[Step, ...]] = {
    "dma_map_single(probe-a, 0x41485000, 4096, DMA_TO_DEVICE) = 0x4f007000": (MAP,),
    "dma_map_single(probe-a, 0x41485000, 64, DMA_TO_DEVICE) = DMA_MAPPING_ERROR": (
        (mapping(64), FULL),
    ),
    "dma_map_single_attrs(probe-a, 0x41485000, 4096, DMA_TO_DEVICE, DMA_ATTR_NO_WARN)"
    " = 0x4f007000": ((mapping(attrs=Attr.NO_WARN), MAPPED),),
    "dma_map_page(probe-a, 0x41486000, 904, 100, DMA_TO_DEVICE) = 0x4f007000": (
        (page(5000), MAPPED),
    ),
    "dma_map_phys(probe-a, 0x41485008, 100, DMA_TO_DEVICE, DMA_ATTR_MMIO) = DMA_MAPPING_ERROR": (
        (calls.map_buffer(5, 1, MapCall.PHYS, 2, 8, 100, TO, Attr.MMIO), FULL),
    ),
    "dma_unmap_single(probe-a, 0x4f007000, 4096, DMA_TO_DEVICE)": (MAP, (calls.unmap(5), None)),
    "dma_sync_single_for_cpu(probe-a, 0x4f007000, 4096, DMA_TO_DEVICE)": (
        MAP,
        (calls.sync(5, SyncTarget.CPU), None),
    ),
    "dma_sync_single_range_for_device(probe-a, 0x4f007000, 100, 28, DMA_TO_DEVICE)": (
        MAP,
        (calls.sync(5, SyncTarget.DEVICE, 100, 28), None),
    ),
    "dma_need_sync(probe-a, 0x4f007000) = true": (MAP, (calls.need_sync(5), True)),
    f"dma_map_sgtable(probe-a, [0x41485000 100, 0x41486000 200], DMA_FROM_DEVICE, 0) = {LIST}": (
        (SG, SEGMENTS),
    ),
    f"dma_unmap_sgtable(probe-a, {LIST}, DMA_FROM_DEVICE)": (
        (SG, SEGMENTS),
        (calls.unmap(5), None),
    ),
    f"dma_sync_sgtable_for_cpu(probe-a, {LIST}, DMA_FROM_DEVICE)": (
        (SG, SEGMENTS),
        (calls.sync(5, SyncTarget.CPU), None),
    ),
    "dma_map_resource(probe-a, 0x9000000, 64, DMA_FROM_DEVICE, 0) = 0x9000000": (
        (calls.map_resource(5, 1, 0x9000000, 64, FROM), Mapped(0x9000000, 0x9000000)),
    ),
    "dma_alloc_attrs(probe-a, 8192, GFP_KERNEL) = 0x4f002000": (COHERENT,),
    "dma_alloc_pages(probe-a, 64, DMA_FROM_DEVICE, GFP_ATOMIC) = NULL": (
        (calls.alloc(7, 1, AllocCall.PAGES, 64, FROM, Gfp.ATOMIC), NULL),
    ),
    "dma_free_attrs(probe-a, 8192, 0x4f002000)": (COHERENT, (calls.free(7), None)),
    "[driver leaks 4096 bytes at 0x4f007000]": (MAP, (calls.forget(Space.MAPPING, 5), None)),
    "dma_set_mask(probe-a, 0xffff) = -EIO": (
        (calls.device_set(1, Setting.DMA_MASK, 0xFFFF), SettingError("", 5)),
    ),
    "[CPU writes 10 bytes at 0x41485002]": ((calls.fill(Space.BUFFER, 2, 2, 10, Byte(1)), None),),
    "[device writes 3 bytes at 0x4f007001]": (
        MAP,
        (calls.write(Space.MAPPING, 5, 1, b"abc"), None),
    ),
    "dma_unmap_single(probe-a, 0x4f007000, 8192, DMA_TO_DEVICE)": (
        (calls.raw_unmap(1, 0x4F007000, 8192, TO), None),
    ),
    "dma_map_single(probe-a, 0x41485000, 4096, DMA_TO_DEVICE) = 0x4f007000; dma_unmap_single()": (
        (calls.try_map(5, 1, MapCall.SINGLE, 2, 0, 4096, TO), MAPPED),
    ),
    "[device writes 3 bytes at byte 150 of the scatterlist]": (
        (SG, SEGMENTS),
        (calls.write(Space.MAPPING, 5, 150, b"abc"), None),
    ),
    "dma_sync_for_cpu(mapping 5)": ((calls.sync(5, SyncTarget.CPU), None),),
    "dma_unmap(mapping 5)": ((calls.unmap(5), None),),
    "dma_free(allocation 7)": ((calls.free(7), None),),
    "dma_sync_single_for_cpu(probe-a, 0x4f007000, 64, DMA_TO_DEVICE)": (
        (calls.raw_sync(1, SyncTarget.CPU, 0x4F007000, 64, TO), None),
    ),
    "[every other CPU maps and unmaps 64 bytes at 0x41485000 for probe-a in an interrupt]": (
        (calls.interrupt(1, 2, 64), None),
    ),
    "[every other CPU maps and unmaps 64 bytes at 0x41485000 for probe-a in an interrupt]"
    " = -ENOMEM": ((calls.interrupt(1, 2, 64), SettingError("", 12)),),
}
"""The last line of a journal, and the calls that lead to it."""


def journal(steps: tuple[Step, ...]) -> list[str]:
    lines: list[str] = []
    record = CallRecord(lines)
    record.note(calls.device_info(1), INFO)
    record.note(calls.buffer_alloc(2, BufferKind.PAGES, 8192), BufferAddresses(1 << 63, BUFFER))
    for call, outcome in steps:
        record.note(call, outcome)
    return lines


@pytest.mark.parametrize("line", LAST)
def test_each_call_reads_as_c(line: str) -> None:
    assert journal(LAST[line])[-1] == line


def test_questions_of_the_harness_are_left_out() -> None:
    assert (
        journal(((calls.live(Space.MAPPING), ()), (calls.read(Space.BUFFER, 2, 0, 1), b"a"))) == []
    )


def test_what_nobody_told_of_is_shown_by_its_number() -> None:
    lines: list[str] = []

    CallRecord(lines).note(mapping(), FULL)

    assert lines == [
        "dma_map_single(device 1, buffer 2 + 0, 4096, DMA_TO_DEVICE) = DMA_MAPPING_ERROR"
    ]
