# SPDX-License-Identifier: Apache-2.0
"""Tests that plug a rogue in, as parameters."""

import pytest

from harness.devices.rogue import rogue_kinds


def needs_rogue(kind: str) -> pytest.MarkDecorator:
    """The mark of a test that plugs in a rogue of *kind*: QEMU must have its device."""
    return pytest.mark.needs("the rogue", qemu=rogue_kinds()[kind].device)
