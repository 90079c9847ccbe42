# SPDX-License-Identifier: Apache-2.0
"""A kernel without debugging information has no memory oracles; its guests stay untouched."""

from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from harness.base.errors import NoDebugInformation
from harness.devices.oracles import NO_BASELINE
from harness.devices.oracles.examiner import Examiner
from harness.kernel import Kernel
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KnownTypes, Memory


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    return Kernel("key", tmp_path, "6.12.3", "c0ffee", "build /b", (), "gcc 12", types=False)


def test_a_guest_of_such_a_kernel_has_no_canaries_and_no_violations(kernel: Kernel) -> None:
    guest = cast(Guest, SimpleNamespace(machine=SimpleNamespace(kernel=kernel)))
    examiner = Examiner()

    assert examiner.prepare(guest, "a state") == NO_BASELINE
    assert examiner.examine(guest, NO_BASELINE) == []


def test_whoever_asks_for_its_types_is_told_how_to_get_them(kernel: Kernel) -> None:
    with pytest.raises(NoDebugInformation, match="Set CONFIG_DEBUG_INFO_DWARF_TOOLCHAIN_DEFAULT=y"):
        KnownTypes().on(kernel, cast(Memory, None))
