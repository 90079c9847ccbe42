# SPDX-License-Identifier: Apache-2.0
"""A series to judge, and to look for a bad patch in."""

import pytest
from validate_fakes import FULL_POOL

from harness.kernel.patches.series import Series, read_paths


@pytest.fixture(scope="session")
def series() -> Series:
    """Five patches."""
    return read_paths([FULL_POOL])
