# SPDX-License-Identifier: Apache-2.0
"""``watch`` finds who writes where nobody should, on kernels with a bug of ``tests/mutants``."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from harness.base.paths import CHECKOUT
from harness.kernel import Initramfs, Kernel, KernelSpec, build_initramfs, build_kernel
from harness.results import SuiteRequest
from harness.suite.lib.person import SESSION_TESTS, Person

pytestmark = [
    pytest.mark.nightly("two kernels of its own"),
    pytest.mark.usefixtures("from_source"),
    *SESSION_TESTS,
]


@pytest.fixture
def spec(settings: SuiteRequest, mutant: str) -> KernelSpec:
    """The kernel under test with a bug."""
    return replace(settings.spec, series=(CHECKOUT / f"tests/mutants/{mutant}.patch",))


@pytest.fixture
def kernel(spec: KernelSpec) -> Kernel:
    """That kernel, built."""
    return build_kernel(spec)


@pytest.fixture
def initramfs(spec: KernelSpec, kernel: Kernel) -> Initramfs:
    """Its guest programs."""
    return build_initramfs(kernel, spec)


@pytest.mark.parametrize("mutant", ["35-stray-copy-to-device-copied-back"])
def test_a_kernel_that_writes_to_a_buffer_is_stopped_there(mapped: Person, tmp_path: Path) -> None:
    """The unmap of a TO_DEVICE mapping writes to the buffer; the watchpoint stops it in the act."""
    unmap = tmp_path / "unmap.py"
    unmap.write_text("mapping.unmap()\n")
    mapped.ask("rogue write mapping:0+16 726f677565")
    mapped.ask("watch buffer:0 4096 write by kernel")

    assert "watchpoint 1, buffer:0 4096 write by kernel" in mapped.ask(f"python {unmap}")
    stack = mapped.ask("bt | cat")

    assert re.search(
        r"memcpy.*swiotlb_bounce.*swiotlb_sync_single_for_cpu.*call_unmap", stack, re.DOTALL
    )
    mapped.ask("delete 1")
    mapped.ask("continue")
    assert "rogue" in mapped.ask("memory buffer:0 32")


@pytest.mark.parametrize("mutant", ["01-escape-bounce-not-forced"])
def test_a_device_that_writes_to_a_buffer_is_told(mapped: Person) -> None:
    """A mapping that does not bounce is the buffer itself: the device's write is seen there."""
    assert "no slot" in mapped.ask("slots")
    mapped.ask("watch buffer:0 4096 write by device")

    assert "device access: rogue0 writes 5 bytes at 0x" in mapped.ask(
        "rogue write mapping:0+16 726f677565"
    )
    assert "rogue" in mapped.ask("memory buffer:0 32")
