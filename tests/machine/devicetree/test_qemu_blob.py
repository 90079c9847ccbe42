# SPDX-License-Identifier: Apache-2.0
"""QEMU's own blob: the same bytes each time, dumped once."""

from pathlib import Path

import pytest

from harness.base.errors import QemuError
from harness.base.tools import find_tool, run_tool
from harness.machine.devicetree import base_blob, compose
from harness.machine.devicetree.tree import Tree

pytestmark = pytest.mark.usefixtures("cache")

MACHINE = ["-machine", "virt,gic-version=3", "-cpu", "cortex-a57", "-smp", "1", "-m", "256"]

COUNTING_QEMU = """#!/bin/sh
echo run >> {log}
exec {qemu} "$@"
"""


def test_two_dumps_are_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    qemu = find_tool("qemu-system-aarch64")
    first = base_blob(qemu, MACHINE)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "other"))

    assert base_blob(qemu, MACHINE) == first


def test_a_second_request_does_not_run_qemu(tmp_path: Path) -> None:
    log, counting = tmp_path / "log", tmp_path / "qemu"
    real = find_tool("qemu-system-aarch64")
    counting.write_text(COUNTING_QEMU.format(log=log, qemu=real))
    counting.chmod(0o755)

    for _ in range(2):
        base_blob(counting, MACHINE)

    assert log.read_text().split() == ["run"]


def test_devices_are_coherent_only_if_they_say_so_themselves(tmp_path: Path) -> None:
    """QEMU's root says it for all since 8.2."""
    source, qemu = tmp_path / "coherent.dts", tmp_path / "qemu"
    source.write_text("/dts-v1/; / { dma-coherent; pcie { dma-coherent; }; };")
    run_tool(["dtc", "-o", tmp_path / "blob", source])
    qemu.write_text(f'#!/bin/sh\nfor last; do :; done\ncp {tmp_path}/blob "${{last#dumpdtb=}}"\n')
    qemu.chmod(0o755)

    tree = Tree(base_blob(qemu, MACHINE))

    coherent = [node.name for node in tree.nodes() if "dma-coherent" in node.properties()]
    assert coherent == ["pcie"]


def test_the_overlays_fit_what_qemu_dumps() -> None:
    base = base_blob(find_tool("qemu-system-aarch64"), MACHINE)

    devicetree = compose(base, ["pool-shared"])

    assert len(devicetree.pools[0].users) == 3


def test_a_machine_that_qemu_refuses_is_an_error_with_its_words() -> None:
    with pytest.raises(QemuError, match="no-such-machine"):
        base_blob(find_tool("qemu-system-aarch64"), ["-machine", "no-such-machine"])
