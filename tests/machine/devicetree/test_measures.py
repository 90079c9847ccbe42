# SPDX-License-Identifier: Apache-2.0
"""What fits into a pool, as harness/suite/properties/test_pool_bases.py sees it in a guest."""

import pytest

from harness.base.address_range import AddressRange
from harness.machine.devicetree.lint import Measures, measure
from harness.machine.devicetree.model import KernelVersion

KIB, MIB = 1 << 10, 1 << 20
BASE = 0x5000_0000


def measured(offset: int, size: int, kernel: str = "6.12", page: int = 4 * KIB) -> Measures:
    return measure(AddressRange(BASE + offset, size), KernelVersion(kernel), page)


@pytest.mark.parametrize(
    ("offset", "size", "found"),
    [
        (0, 64 * MIB, Measures(32768, 256 * KIB, 256 * KIB)),
        (2 * KIB, MIB, Measures(512, 254 * KIB, 128 * KIB)),
        (4 * KIB, MIB, Measures(512, 256 * KIB, 128 * KIB)),
        (64 * KIB, MIB, Measures(512, 256 * KIB, 128 * KIB)),
        (128 * KIB, 128 * KIB, Measures(64, 128 * KIB, 128 * KIB)),
        (0, 258 * KIB, Measures(129, 256 * KIB, 256 * KIB)),
        (0, 16 * KIB, Measures(8, 16 * KIB, 16 * KIB)),
        (0, 2 * KIB, Measures(1, 2 * KIB, 0)),
        (0, 1 * KIB, Measures(0, 0, 0)),
        (1 * KIB, MIB, Measures(512, 0, 0)),
    ],
)
def test_what_fits_follows_from_base_and_size(offset: int, size: int, found: Measures) -> None:
    assert measured(offset, size) == found


def test_what_fits_depends_on_kernel_and_page() -> None:
    assert measured(2 * KIB, MIB, "6.1").largest_mapping == 256 * KIB
    assert measured(4 * KIB, MIB, page=16 * KIB).largest_mapping == 244 * KIB
    assert measured(0, 16 * KIB, page=64 * KIB).largest_coherent == 0
