# SPDX-License-Identifier: Apache-2.0
"""What the nvme rogue knows before it needs a guest."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import InputError
from harness.devices.rogue.nvme import LARGEST, PORTS, NvmeRogue, parts
from harness.devices.rogue.nvme_queue import PAGE


@dataclass(frozen=True)
class MadeUpKernel:
    """As much of a kernel as is asked for its configuration."""

    config: Path
    release: str = "6.12.117"
    types: bool = False


def guest_with(config: Path) -> Any:
    """As much of a guest as is looked at before anything is plugged in."""
    return SimpleNamespace(machine=SimpleNamespace(kernel=MadeUpKernel(config)))


@given(st.integers(0, 1 << 20), st.integers(0, 3 * LARGEST))
def test_a_range_is_cut_so_that_only_whole_pages_share_a_command(address: int, size: int) -> None:
    found = list(parts(address, size))

    assert [part.base for part in found[1:]] == [p.end for p in found[:-1]]
    assert sum(part.size for part in found) == size
    for part in found:
        end = part.base + part.size - 1
        within_a_page = part.base // PAGE == end // PAGE
        assert within_a_page or (part.base % PAGE == 0 and part.size % PAGE == 0)
        assert 0 < part.size <= LARGEST


def test_a_kernel_with_an_nvme_driver_is_refused(tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text("CONFIG_BLK_DEV_NVME=y\n")

    with pytest.raises(InputError, match="its own driver takes an nvme device"):
        NvmeRogue(guest_with(config))


@pytest.mark.parametrize("port", [-1, PORTS])
def test_a_port_without_memory_for_its_queues_is_refused(tmp_path: Path, port: int) -> None:
    with pytest.raises(InputError, match="root port 0 to"):
        NvmeRogue(guest_with(tmp_path), port)
