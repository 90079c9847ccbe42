# SPDX-License-Identifier: Apache-2.0
"""What a QEMU can do is what it answers; one that cannot run any guest is refused."""

import json
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

from harness.base.errors import HostError, InputError
from harness.machine import binary
from harness.machine.binary import find_qemu
from harness.machine.capabilities import (
    BASIC_DEVICES,
    DEVICES,
    FEATURES,
    FILE_MIGRATION,
    LOGS_INVALID_MEMORY,
    PLUGINS,
    Capabilities,
    capabilities_of,
)

pytestmark = pytest.mark.usefixtures("cache")

FAKE = """\
#!{python}
import json, sys
if "--version" in sys.argv:
    print("QEMU emulator version 7.2.22")
    sys.exit()
answers = json.loads({answers!r})
for line in sys.stdin:
    command = json.loads(line)
    name = command.get("arguments", {{}}).get("typename", command["execute"])
    kind = "return" if name in answers else "error"
    number = {{"id": command["id"]}} if "id" in command else {{}}
    print(json.dumps({{kind: answers.get(name, {{}}), **number}}), flush=True)
    with open({log!r}, "a") as log:
        log.write(name + "\\n")
"""


def fake(folder: Path, devices: Collection[str], options: Collection[str], way: str) -> Path:
    """A QEMU with *devices*, *options* and a schema in which migrations go *way*."""
    answers = {
        "query-command-line-options": [{"option": option} for option in options],
        "query-machines": [{"name": "virt-7.2", "alias": "virt"}],
        "query-qmp-schema": [
            {"meta-type": "enum", "members": [{"name": "exec"}, {"name": way}]},
            {"meta-type": "object"},
        ],
        "human-monitor-command": "Log items:\r\nguest_errors   log\r\ninvalid_mem  log\r\n",
        **{name: [] for name in devices},
    }
    program = folder / "qemu"
    log = str(folder / "log")
    program.write_text(FAKE.format(python=sys.executable, answers=json.dumps(answers), log=log))
    program.chmod(0o755)
    return program


def test_what_it_answers_to_is_what_it_can_do(tmp_path: Path) -> None:
    program = fake(
        tmp_path, {*BASIC_DEVICES, "nvme", "vhost-user-base"}, {"action", "plugin"}, "file"
    )

    can = capabilities_of(program, "one")

    features = {"edu", "nvme", PLUGINS, FILE_MIGRATION, LOGS_INVALID_MEMORY}
    assert can == Capabilities(frozenset(features))


def test_what_it_does_not_have_is_lacking(tmp_path: Path) -> None:
    program = fake(tmp_path, {*BASIC_DEVICES, "ivshmem-plain"}, {"action"}, "rdma")

    can = capabilities_of(program, "one")

    wanted = ("ivshmem-plain", "nvme", FILE_MIGRATION, PLUGINS)
    assert can.lacking(wanted) == ("nvme", FILE_MIGRATION, PLUGINS)


def test_a_misspelt_feature_is_an_error_and_not_lacking() -> None:
    with pytest.raises(InputError, match="unknown feature of QEMU 'nvem'"):
        Capabilities(frozenset(FEATURES)).lacking(["nvem"])


def test_it_is_asked_once(tmp_path: Path) -> None:
    program = fake(tmp_path, BASIC_DEVICES, {"action"}, "file")

    capabilities_of(program, "one")
    capabilities_of.cache_clear()  # another process
    capabilities_of(program, "one")

    assert (tmp_path / "log").read_text().count("query-machines") == 1


def test_another_binary_at_the_same_path_is_asked_again(tmp_path: Path) -> None:
    before = capabilities_of(fake(tmp_path, {*BASIC_DEVICES, "nvme"}, {"action"}, "file"), "one")
    after = capabilities_of(fake(tmp_path, BASIC_DEVICES, {"action"}, "file"), "two")

    assert before.features - after.features == {"nvme"}


def test_one_that_cannot_run_any_guest_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    devices = set(BASIC_DEVICES) - {"pvpanic-pci"}

    with pytest.raises(HostError, match=r"cannot run a guest: it lacks the device pvpanic-pci\."):
        find_qemu(str(fake(tmp_path, devices, {"action"}, "file")))


def test_a_program_that_does_not_speak_qmp_is_refused(tmp_path: Path) -> None:
    program = tmp_path / "qemu"
    program.write_text("#!/bin/sh\necho 'no such option' >&2\n")
    program.chmod(0o755)

    with pytest.raises(HostError, match="it wrote: no such option"):
        capabilities_of(program, "one")


def test_this_qemu_has_what_debian_builds() -> None:
    assert binary.find_qemu().capabilities.lacking((*DEVICES, PLUGINS)) == ()
