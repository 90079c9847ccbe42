# SPDX-License-Identifier: Apache-2.0
"""A plugin is built for the QEMU at hand, or it is said why not."""

from pathlib import Path

import pytest

from harness.base.errors import HostError
from harness.base.paths import CHECKOUT
from harness.base.tools import run_tool
from harness.machine.binary import Qemu, find_qemu
from harness.machine.capabilities import Capabilities
from harness.machine.tcg_plugin.build import COMPILER, FLAGS, INCLUDE, build_plugin, oldest_api

SOURCES = (
    CHECKOUT / "harness/jobs/double_fetch/watch.c",
    CHECKOUT / "harness/jobs/cost/count.c",
)

EACH = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)


@EACH
def test_a_plugin_compiles_for_this_qemu(source: Path) -> None:
    assert build_plugin(find_qemu(), source).is_file()


def test_a_qemu_without_plugins_is_said_to_be_the_reason() -> None:
    with pytest.raises(HostError, match="built without TCG plugins"):
        build_plugin(Qemu(Path("qemu"), (7, 2), "", Capabilities()), SOURCES[0])


@pytest.mark.parametrize(
    ("said", "oldest"),
    [
        ("minimum version of 0", 0),
        ("plugin requires API version 0, but this QEMU supports only a minimum version of 7", 7),
    ],
)
def test_the_api_is_the_oldest_that_qemu_takes(tmp_path: Path, said: str, oldest: int) -> None:
    program = tmp_path / "qemu"
    program.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
    program.chmod(0o755)

    assert oldest_api(Qemu(program, (7, 2), "")) == oldest


@EACH
@pytest.mark.parametrize("api", [1, 2, 7])
def test_a_plugin_compiles_for_every_api(tmp_path: Path, source: Path, api: int) -> None:
    plugin = tmp_path / "plugin.so"

    run_tool([COMPILER, *FLAGS, INCLUDE, f"-DPLUGIN_API={api}", "-o", plugin, source])
