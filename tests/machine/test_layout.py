# SPDX-License-Identifier: Apache-2.0
"""RAM is cut so that pools are handed over, and nothing overlaps or is lost."""

import itertools

from harness.machine.devicetree import Pool
from harness.machine.layout import RAM_BASE, RamBlock, cut

MIB = 1 << 20
RAM_SIZE = 256 * MIB


def pool(base: int, size: int) -> Pool:
    return Pool(base, size, "restricted-dma", label="pool", users=())


def test_without_a_pool_ram_is_one_private_block() -> None:
    assert cut(RAM_SIZE, ()) == (RamBlock(RAM_BASE, RAM_SIZE, handed_over=False),)


def test_a_pool_at_the_end_of_ram_leaves_two_blocks() -> None:
    blocks = cut(RAM_SIZE, (pool(RAM_BASE + 240 * MIB, 16 * MIB),))

    assert blocks == (
        RamBlock(RAM_BASE, 240 * MIB, handed_over=False),
        RamBlock(RAM_BASE + 240 * MIB, 16 * MIB, handed_over=True),
    )


def test_two_pools_are_blocks_of_their_own() -> None:
    blocks = cut(RAM_SIZE, (pool(RAM_BASE + 64 * MIB, MIB), pool(RAM_BASE + 128 * MIB, MIB)))

    assert [block.handed_over for block in blocks] == [False, True, False, True, False]
    assert sum(block.size for block in blocks) == RAM_SIZE


def test_a_pool_that_is_no_whole_page_takes_whole_pages() -> None:
    (_, shared, _) = cut(RAM_SIZE, (pool(RAM_BASE + 64 * MIB + 2048, 2048),))

    assert (shared.base, shared.size) == (RAM_BASE + 64 * MIB, 4096)


def test_a_page_is_that_of_the_kernel() -> None:
    blocks = cut(RAM_SIZE, (pool(RAM_BASE + 64 * MIB + 4096, 4096),), page=16 << 10)

    assert [block.base % (16 << 10) for block in blocks] == [0, 0, 0]
    assert (blocks[1].base, blocks[1].size) == (RAM_BASE + 64 * MIB, 16 << 10)


def test_pools_that_overlap_share_no_byte_between_blocks() -> None:
    blocks = cut(RAM_SIZE, (pool(RAM_BASE + 64 * MIB, MIB), pool(RAM_BASE + 64 * MIB, 2 * MIB)))

    assert sum(block.size for block in blocks) == RAM_SIZE
    assert all(one.end == two.base for one, two in itertools.pairwise(blocks))


def test_a_pool_outside_ram_is_no_block() -> None:
    assert len(cut(RAM_SIZE, (pool(RAM_BASE + RAM_SIZE, MIB),))) == 1


def test_an_empty_pool_is_no_block() -> None:
    assert len(cut(RAM_SIZE, (pool(RAM_BASE + 64 * MIB, 0),))) == 1
