# SPDX-License-Identifier: Apache-2.0
"""A run begins with what its kernel is, what built it, and what it cannot be judged on."""

from dataclasses import replace
from pathlib import Path

import pytest
from suite_items import Item

from harness.kernel import Kernel, KernelSpec
from harness.machine.binary import Qemu
from harness.machine.capabilities import Capabilities
from harness.machine.memory_tags import STORES_WRONG
from harness.plugin import head as head_module
from harness.plugin.head import FROM_SOURCE, count_lines, missing, pytest_report_header
from harness.plugin.session import kernel_key
from harness.results.request import SuiteRequest

QEMU = Qemu(Path("qemu"), (7, 2), "QEMU", Capabilities())

GCC = "aarch64-linux-gnu-gcc (Debian 12.2.0-14) 12.2.0"


class Config:
    """pytest's configuration, as far as the head reads it."""

    def __init__(self, kernel: Kernel | None) -> None:
        self.stash = pytest.Stash()
        if kernel is not None:
            self.stash[kernel_key] = kernel


@pytest.fixture
def kernel(tmp_path: Path) -> Kernel:
    (tmp_path / "config").write_text("CONFIG_DMA_RESTRICTED_POOL=y\n")
    return Kernel("key", tmp_path, "6.12.3", "c0ffee", "a tree", (), GCC)


def head(kernel: Kernel | None) -> list[str]:
    return pytest_report_header(Config(kernel))  # type: ignore[arg-type] # stands for a Config


def test_kernel_and_compiler_are_named(kernel: Kernel) -> None:
    changed = replace(kernel, series=("fix.patch",), flavour="kasan", fragments=("my.config",))

    assert head(changed) == [
        "kernel: Linux 6.12.3, a tree, flavour kasan, my.config, fix.patch",
        f"compiler: {GCC}",
    ]


def test_what_the_compiler_warned_of_in_a_series_is_shown(kernel: Kernel) -> None:
    warned = replace(kernel, warnings=("kernel/dma/swiotlb.c:3:5: warning: unused variable 'x'",))

    assert head(warned)[2:] == []
    assert head(replace(warned, series=("fix.patch",)))[2:] == [
        "warning of its build: kernel/dma/swiotlb.c:3:5: warning: unused variable 'x'"
    ]


def test_a_kernel_without_types_is_told_to_have_no_memory_oracles(kernel: Kernel) -> None:
    assert head(replace(kernel, types=False))[2:] == [
        "no debugging information: the memory oracles (slots, leaks, stale bytes, page owners) are "
        "off"
    ]


def test_a_kernel_without_the_feature_is_told_to_lack_it(kernel: Kernel) -> None:
    kernel.config.write_text("CONFIG_SWIOTLB=y\n")

    assert head(kernel)[2:] == [
        "CONFIG_DMA_RESTRICTED_POOL is not set: no test applies that needs a restricted pool"
    ]


@pytest.mark.parametrize(
    ("option", "fault", "lines"),
    [
        ("KASAN_HW_TAGS", STORES_WRONG, ["memory tags: off; this QEMU stores them wrong"]),
        ("KASAN_HW_TAGS", "", []),
        ("KASAN_GENERIC", STORES_WRONG, []),
    ],
)
def test_a_qemu_that_keeps_no_tags_is_named_if_the_kernel_has_them(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch, option: str, fault: str, lines: list[str]
) -> None:
    kernel.config.write_text(f"CONFIG_DMA_RESTRICTED_POOL=y\nCONFIG_{option}=y\n")
    monkeypatch.setattr(head_module, "tags_fault", lambda _: fault)
    monkeypatch.setattr(head_module, "find_qemu", lambda _: QEMU)
    monkeypatch.setattr(head_module, "request_from", lambda _: SuiteRequest(spec=KernelSpec()))

    assert head(kernel)[2:] == lines


SKIPS = {
    "": Item(("kernel",)),
    "a source to build another kernel from": Item(("kernel",), flavour="no-pools"),
    "CONFIG_KASAN=y": Item(("kernel",), pytest.mark.needs("why", config="KASAN=y").mark),
}


@pytest.mark.parametrize("lacking", SKIPS)
def test_each_test_is_counted_with_the_first_thing_that_it_lacks(
    lacking: str, kernel: Kernel
) -> None:
    spec = KernelSpec("build:b")

    assert [*missing([SKIPS[lacking]], kernel, QEMU, spec)] == [lacking]  # type: ignore[list-item] # stands for an item


def test_a_test_that_builds_a_kernel_applies_where_there_is_a_source(kernel: Kernel) -> None:
    needs = pytest.mark.needs("why", config="KASAN=y").mark
    items = [Item(("kernel",), needs, flavour="kasan"), Item(("from_source", "kernel")), Item()]

    assert [*missing(items, kernel, QEMU, KernelSpec())] == ["", "", ""]  # type: ignore[arg-type] # stand for items
    assert [*missing(items[1:2], kernel, QEMU, KernelSpec("package:p"))] == [FROM_SOURCE]  # type: ignore[arg-type] # stands for items


def test_what_most_tests_lack_is_told_first() -> None:
    counted = {"a QEMU with nvme": 1, "": 7, "CONFIG_KASAN=y": 2}

    assert count_lines(counted) == [
        "7 of 10 tests apply to this kernel; missing: CONFIG_KASAN=y (2), a QEMU with nvme (1)"
    ]
    assert count_lines({"": 7}) == ["all 7 tests apply to this kernel"]
    assert count_lines({}) == []


def test_a_run_without_a_kernel_has_no_head() -> None:
    assert head(None) == []
