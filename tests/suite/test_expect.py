# SPDX-License-Identifier: Apache-2.0
"""What the helpers of property tests say when an expectation is not met."""

import errno
import re
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import pytest

from harness.base.address_range import AddressRange
from harness.base.errors import GuestHang
from harness.base.violation import PropertyViolated, Violation
from harness.devices.probe import Byte, Mapped, MappingError, Pattern, Seed, Segment
from harness.machine.devicetree import Pool
from harness.machine.fence import Refusal
from harness.observe.memory import MemoryUse
from harness.suite.lib import expect
from harness.suite.lib.expect import kernel

POOL = Pool(0x4F00_0000, 0x100_0000, "restricted-dma@4f000000", "pool", ())
IN_POOL = "pool restricted-dma@4f000000 [0x4f000000, 0x50000000)"
CPU, DEVICE = Seed(0xC9), Seed(0xDE)


@dataclass(frozen=True)
class Memory:
    """A buffer of the probe's, as far as the helpers ask it."""

    content: bytes
    phys: int = 0x4148_5000

    @property
    def size(self) -> int:
        """In bytes."""
        return len(self.content)

    def read(self, offset: int, length: int) -> bytes:
        """A range of it."""
        return self.content[offset : offset + length]

    def holds(self, pattern: Pattern, offset: int, length: int) -> bool:
        """Whether a range is as in *pattern*."""
        return self.read(offset, length) == pattern.content(offset, length)


@dataclass(frozen=True)
class Counters:
    """A pool's counters."""

    used: int
    name: str = "restricted-dma@4f000000"


@dataclass(frozen=True)
class Log:
    """A guest, as far as it says things."""

    lines: tuple[str, ...]

    def kernel_log(self) -> tuple[str, ...]:
        """All lines."""
        return self.lines


@dataclass(frozen=True)
class Silent:
    """A guest that goes on, and prints nothing more on its console."""

    lines: tuple[str, ...] = ("Booting Linux", "", "Run /init", " ")
    answers: bool = True

    @property
    def console(self) -> "Silent":
        """Its console."""
        return self

    @property
    def agent(self) -> "Silent":
        """Its agent."""
        return self

    def wait_for(self, pattern: str, timeout: float, *, since: int) -> None:
        """Wait in vain."""
        raise GuestHang(f"waited {timeout:g} s for /{pattern}/ since {since}")

    def hello(self) -> None:
        """Answer, or not."""
        if not self.answers:
            raise GuestHang("waited 20 s for the answer to a hello")


@dataclass(frozen=True)
class Fenced:
    """A guest behind a fence."""

    refusals: tuple[Refusal, ...] = ()
    damage: tuple[str, ...] = ()

    def fence_refusals(self) -> list[Refusal]:
        """Refused accesses."""
        return list(self.refusals)

    def fence_damage(self) -> list[str]:
        """Changes of the fence."""
        return list(self.damage)


REFUSAL = Refusal("0000:02:00.0", 0x4148_5000, "write", 1.0)

SAID = Log(("Booting Linux", " probe-a: assigned reserved memory node restricted-dma@4f000000"))


def at(dma_addr: int, length: int = 0x1000) -> Segment:
    return Segment(dma_addr, dma_addr, length)


def memory(*patterns: tuple[Pattern, int]) -> Memory:
    content = b""
    for pattern, length in patterns:
        content += pattern.content(len(content), length)
    return Memory(content)


def fails(error: bool = False) -> Segment:
    if error:
        raise MappingError("dma_map_single(64 bytes)", errno.ENOMEM)
    return at(0x4F00_1000)


MET: list[Callable[[], object]] = [
    lambda: expect.in_pool(at(0x4F00_0000), POOL),
    lambda: expect.in_pool([at(0x4F00_0000), at(0x4FFF_F000)], POOL),
    lambda: expect.outside(at(0x4000_0000), POOL),
    lambda: expect.within([AddressRange(0x4F00_0000, 1)], POOL, "rings"),
    lambda: expect.none_within([AddressRange(0x4000_0000, 1)], POOL, "rings"),
    lambda: expect.not_bounced(at(0x4148_5000), memory((CPU, 1))),  # type: ignore[arg-type]
    lambda: expect.aligned(0x4F00_0800, 0x800, "a mapping"),
    lambda: expect.apart([at(0x2000), at(0x1000)]),
    lambda: expect.counted(64, 64, "mappings"),
    lambda: expect.holds(memory((CPU, 100)), CPU),  # type: ignore[arg-type]
    lambda: expect.holds(memory((CPU, 100)), DEVICE, 100),  # type: ignore[arg-type]
    lambda: expect.unchanged(memory((CPU, 100), (DEVICE, 9)), CPU, 0, 100),  # type: ignore[arg-type]
    lambda: expect.same_bytes(Memory(b"abc"), 1, b"bc"),  # type: ignore[arg-type]
    lambda: expect.slots_used(Counters(3), 3),  # type: ignore[arg-type]
    lambda: expect.refused(fails, error=True),
    lambda: expect.at_addresses([at(0x1000), at(0x3000)], [0x1000, 0x3000]),
    lambda: expect.bits_kept(0x4F00_0123, 0x4148_5123, 0xFFF, "a page"),
    lambda: expect.within_boundary(0x1000, 0x1000, 0x1000),
    lambda: expect.mapped(Mapped(0x1000, 0x1000), 1),
    lambda: expect.logged(SAID, "assigned reserved memory"),  # type: ignore[arg-type]
    lambda: expect.not_logged(SAID, "OVERLAP"),  # type: ignore[arg-type]
    lambda: expect.fence_held(Fenced()),  # type: ignore[arg-type]
    lambda: expect.fence_held(Fenced((REFUSAL,)), "rogue0"),  # type: ignore[arg-type]
    lambda: expect.equal([1, 2], [1, 2], "numbers"),
    lambda: expect.require(True, "a", "b"),
]

UNMET: dict[str, tuple[Callable[[], object], str, str]] = {
    "outside the pool": (
        lambda: expect.in_pool(at(0x4148_5000, 1), POOL),
        f"[0x41485000, 0x41485001) in {IN_POOL}",
        "0x41485000, outside the pool",
    ),
    "across the pool's end": (
        lambda: expect.in_pool([at(0x4F00_0000), at(0x4FFF_F800, 0x1800)], POOL),
        f"[0x4ffff800, 0x50001000) in {IN_POOL}",
        "0x4ffff800, 4 KiB of it outside the pool",
    ),
    "a ring outside": (
        lambda: expect.within([AddressRange(0x4000_0000, 0x10)], POOL, "rings"),
        f"[0x40000000, 0x40000010) in {IN_POOL}",
        "0x40000000, outside the pool",
    ),
    "no rings": (lambda: expect.within([], POOL, "rings"), f"rings in {IN_POOL}", "none"),
    "a ring in another device's pool": (
        lambda: expect.none_within([AddressRange(0x4F00_0000, 1)], POOL, "rings"),
        f"rings outside {IN_POOL}",
        "0x4f000000",
    ),
    "in a pool that is another device's": (
        lambda: expect.outside(at(0x4F00_2000), POOL),
        f"an address outside {IN_POOL}",
        "0x4f002000",
    ),
    "bounced": (
        lambda: expect.not_bounced(at(0x4F00_2000), memory((CPU, 1))),  # type: ignore[arg-type]
        "dma_addr 0x41485000",
        "dma_addr 0x4f002000",
    ),
    "not aligned": (
        lambda: expect.aligned(0x4F00_0804, 0x800, "a mapping of 2048 bytes"),
        "a mapping of 2048 bytes at a multiple of 0x800",
        "0x4f000804, 0x4 bytes past one",
    ),
    "twice": (
        lambda: expect.apart([at(0x1800), at(0x1000)]),
        "ranges that do not overlap",
        "[0x1000, 0x2000) and [0x1800, 0x2800)",
    ),
    "too many": (lambda: expect.counted(72, 64, "mappings"), "64 mappings", "72"),
    "changed": (
        lambda: expect.unchanged(memory((DEVICE, 4096)), CPU),  # type: ignore[arg-type]
        "0x41485000 unchanged",
        r"\d+ bytes of 4 KiB changed, first at 0x41485000: \w\w -> \w\w",
    ),
    "not copied": (
        lambda: expect.holds(memory((Byte(1), 8)), Byte(0), 4),  # type: ignore[arg-type]
        "0x41485004 holds zeros",
        "4 bytes of 4 bytes differ, first at 0x41485004: 00 -> 01",
    ),
    "other bytes": (
        lambda: expect.same_bytes(Memory(b"abc"), 1, b"bd"),  # type: ignore[arg-type]
        "0x41485001 holds the expected bytes",
        "1 byte of 2 bytes differ, first at 0x41485002: 64 -> 63",
    ),
    "leaked": (
        lambda: expect.slots_used(Counters(128), 0),  # type: ignore[arg-type]
        "io_tlb_used is 0 slots (0 bytes)",
        "io_tlb_used is 128 slots (256 KiB)",
    ),
    "elsewhere": (
        lambda: expect.at_addresses([at(0x1000), at(0x3000)], [0x1000, 0x2000]),
        "number 1 at 0x2000",
        "0x3000",
    ),
    "too few": (
        lambda: expect.at_addresses([at(0x1000)], [0x1000, 0x2000]),
        "2 addresses",
        "1 addresses",
    ),
    "bits lost": (
        lambda: expect.bits_kept(0x4F00_0800, 0x4148_5123, 0xFFF, "1 bytes"),
        "1 bytes: bits 0xfff of 0x41485123, which are 0x123",
        "dma_addr 0x4f000800, bits 0x800",
    ),
    "across a boundary": (
        lambda: expect.within_boundary(0x4F00_F800, 0x1000, 0x1_0000),
        "4096 bytes between two multiples of 0x10000",
        "[0x4f00f800, 0x4f010800) crosses 0x4f010000",
    ),
    "not mapped": (
        lambda: expect.mapped(MappingError("dma_map_single()", errno.ENOMEM), 64),
        "64 bytes mapped",
        "dma_map_single(): the kernel said ENOMEM",
    ),
    "not logged": (
        lambda: expect.logged(SAID, "OVERLAP DETECTED"),  # type: ignore[arg-type]
        "in the kernel log: OVERLAP DETECTED",
        f"2 lines without it, the last: {SAID.lines[-1]}",
    ),
    "logged": (
        lambda: expect.not_logged(SAID, "Booting"),  # type: ignore[arg-type]
        "not in the kernel log: Booting",
        "Booting Linux",
    ),
    "mapped": (
        lambda: expect.not_mapped(Mapped(0x4F00_1000, 0x4F00_1000), 64),
        "DMA_MAPPING_ERROR",
        "0x4f001000",
    ),
    "not printed": (
        lambda: expect.printed(Silent(), "swiotlb .* full"),  # type: ignore[arg-type]
        "on the console: swiotlb .* full",
        "its last lines:\nBooting Linux\nRun /init",
    ),
    "refused by the fence": (
        lambda: expect.fence_held(Fenced((REFUSAL, REFUSAL))),  # type: ignore[arg-type]
        "no refused access",
        "2, first write of 0x41485000 by 0000:02:00.0",
    ),
    "a fence that was changed": (
        lambda: expect.fence_held(Fenced(damage=("SMMU CR0 is 0",))),  # type: ignore[arg-type]
        "an intact fence",
        "SMMU CR0 is 0",
    ),
    "another address": (
        lambda: expect.equal(0x4F00_1000, 0x4F00_0000, "dma_addr"),
        "dma_addr: 0x4f000000",
        "0x4f001000",
    ),
    "another element of many": (
        lambda: expect.equal([1, 2, 3, 4, 5], [1, 2, 9, 4, 5], "lengths"),
        "lengths: 5, number 2: 9",
        "5, number 2: 3",
    ),
    "fewer elements": (
        lambda: expect.equal([], ["a", "b", "c", "d", "e"], "events"),
        "events: 5, number 0: a",
        "0, number 0: missing",
    ),
    "another length": (lambda: expect.equal([1], [1, 2], "lengths"), "lengths: [1, 2]", "[1]"),
    "other content": (
        lambda: expect.equal(b"abcd", b"abxd", "the file"),
        "the file, byte 2 of 4: 78 64",
        "63 64",
    ),
    "shorter content": (
        lambda: expect.equal(b"ab", b"abx", "the file"),
        "the file, byte 2 of 3: 78",
        "nothing more",
    ),
    "a long value": (
        lambda: expect.equal("x" * 1000, "", "the output"),
        "the output: ''",
        f"{'x' * 400}...",
    ),
    "a condition": (
        lambda: expect.require(False, "an address below 1342177280", "1342177280"),
        "an address below 0x50000000",
        "0x50000000",
    ),
    "not refused": (
        lambda: expect.refused(fails),
        "DMA_MAPPING_ERROR",
        "0x4f001000",
    ),
}


def test_what_is_as_expected_is_silent() -> None:
    for call in MET:
        call()


def test_a_refusal_is_returned() -> None:
    assert str(expect.refused(fails, error=True)).endswith("the kernel said ENOMEM")


@pytest.mark.parametrize("name", UNMET)
def test_what_is_not_says_what_was_expected_and_observed(name: str) -> None:
    call, expected, observed = UNMET[name]

    with pytest.raises(PropertyViolated) as caught:
        call()

    (violation,) = caught.value.violations
    assert violation.expected == expected
    assert violation.observed == observed or re.fullmatch(observed, violation.observed)
    assert violation.properties == ()


def test_a_guest_that_does_not_answer_is_a_hang_and_no_violation() -> None:
    with pytest.raises(GuestHang, match="hello"):
        expect.printed(Silent(answers=False), "swiotlb .* full")  # type: ignore[arg-type]


def test_an_attachment_is_told_by_log_and_structures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernel, "assigned", lambda *_: POOL.name)
    monkeypatch.setattr(kernel, "pool_of", lambda *_: "")

    with pytest.raises(PropertyViolated) as caught:
        expect.attached(SAID, None, "probe-a", POOL)  # type: ignore[arg-type] # neither is asked

    (violation,) = caught.value.violations
    assert violation.expected == "probe-a has pool restricted-dma@4f000000"
    assert violation.observed == (
        "the kernel log assigns pool restricted-dma@4f000000, dma_io_tlb_mem is no restricted pool"
    )


PAGES_OF_4K = SimpleNamespace(page_size=4096)


def test_the_first_page_that_is_not_reserved_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    uses = [MemoryUse.RESERVED, MemoryUse.FREE, MemoryUse.SLAB]
    monkeypatch.setattr(kernel, "page_uses", lambda *_: uses)

    with pytest.raises(PropertyViolated) as caught:
        expect.all_reserved(PAGES_OF_4K, POOL)  # type: ignore[arg-type] # a stand-in

    (violation,) = caught.value.violations
    assert violation.observed == "2 of 3 pages are not, first 0x4f001000: free page"


def test_the_first_page_that_is_reserved_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    uses = [MemoryUse.FREE, MemoryUse.RESERVED, MemoryUse.RESERVED]
    monkeypatch.setattr(kernel, "page_uses", lambda *_: uses)

    with pytest.raises(PropertyViolated) as caught:
        expect.not_reserved(PAGES_OF_4K, POOL)  # type: ignore[arg-type] # a stand-in

    (violation,) = caught.value.violations
    assert violation.observed == "2 of 3 pages are, first 0x4f001000"


def test_a_summary_of_the_test_comes_first() -> None:
    with pytest.raises(PropertyViolated) as caught:
        expect.in_pool(AddressGiven(0x1000), AddressRange(0, 1), 1, summary="It escaped.")

    assert caught.value.violations == (
        Violation((), "It escaped.", expected="[0x1000, 0x1001) in [0x0, 0x1)", observed=OUTSIDE),
    )


@dataclass(frozen=True)
class AddressGiven:
    """An address without a size."""

    dma_addr: int


OUTSIDE = "0x1000, outside the pool"
