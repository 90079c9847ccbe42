# SPDX-License-Identifier: Apache-2.0
"""What a test needs: the first that kernel or QEMU lacks is the reason why it is skipped."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from suite_items import Item

from harness.base.errors import InputError
from harness.base.paths import CHECKOUT
from harness.kernel import Kernel
from harness.machine.binary import Qemu
from harness.machine.capabilities import FEATURES, PLUGINS, Capabilities
from harness.plugin.markers import DEBUG_INFORMATION, Needs, lacking_for

QEMU = Qemu(Path("qemu"), (7, 2), "QEMU", Capabilities(frozenset({"nvme"})))


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    """A kernel 6.12 with one option."""
    (tmp_path / "config").write_text(
        "CONFIG_DMA_CMA=y\nCONFIG_DMA_RESTRICTED_POOL=y\n# CONFIG_KASAN is not set\n"
    )
    return Kernel("key", tmp_path, "6.12.117", "c0ffee", "a tree", (), "gcc 12")


@pytest.mark.parametrize(
    ("needs", "missing"),
    [
        (Needs("why"), ""),
        (Needs("why", since="6.12"), ""),
        (Needs("why", since="6.13"), "Linux 6.13"),
        (Needs("why", config="DMA_CMA=y"), ""),
        (Needs("why", config="KASAN=n"), ""),
        (Needs("why", config="KASAN=y"), "CONFIG_KASAN=y"),
        (Needs("why", types=True), ""),
        (Needs("why", qemu="nvme"), ""),
        (Needs("why", qemu=PLUGINS), "a QEMU with plugins"),
    ],
)
def test_what_is_missing_is_named(kernel: Kernel, needs: Needs, missing: str) -> None:
    assert needs.missing(kernel, QEMU) == missing


def lacking(test: Item, kernel: Kernel) -> str:
    found = lacking_for(test, kernel, QEMU)  # type: ignore[arg-type] # stands for an item
    return found.what if found else ""


@pytest.mark.parametrize(
    "test",
    [
        Item(("machine", "types")),
        Item(("known_types",)),
        Item((), pytest.mark.needs("why", types=True).mark),
        Item((), pytest.mark.breaks("B1", "").mark),
    ],
)
def test_without_types_a_test_is_skipped_that_reads_them_or_needs_an_oracle(
    test: Item, kernel: Kernel
) -> None:
    assert lacking(test, replace(kernel, types=False)) == DEBUG_INFORMATION
    assert lacking(test, kernel) == ""
    assert lacking(Item(("machine",)), replace(kernel, types=False)) == ""


def test_on_a_kernel_without_restricted_pools_only_tests_of_such_a_kernel_run(
    kernel: Kernel,
) -> None:
    kernel.config.write_text("# CONFIG_DMA_RESTRICTED_POOL is not set\n")
    about_it = pytest.mark.needs("why", config="DMA_RESTRICTED_POOL=n").mark

    assert lacking(Item(), kernel) == "CONFIG_DMA_RESTRICTED_POOL=y"
    assert lacking(Item((), about_it), kernel) == ""


def test_a_misspelt_need_is_an_error_and_no_skip(kernel: Kernel) -> None:
    with pytest.raises(InputError, match="unknown feature of QEMU 'nvem'"):
        Needs("why", qemu="nvem").missing(kernel, QEMU)
    with pytest.raises(TypeError):
        Needs("why", qemuu="nvme")  # type: ignore[call-arg] # that is the point


def test_every_need_of_the_suite_is_known() -> None:
    text = "".join(path.read_text() for path in (CHECKOUT / "harness/suite").rglob("*.py"))

    named = set(re.findall(r'needs\([^)]*qemu="([^"]+)"', text))
    assert named
    assert named <= FEATURES.keys()
