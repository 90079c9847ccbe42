# SPDX-License-Identifier: Apache-2.0
"""What a QEMU binary can do: it is asked, once, and never inferred from its version.

QEMU answers over QMP without a guest (``-machine none``). Most answers are errors or lists that
any version gives, so a build without a device answers as truly as an old version does.
"""

import functools
import itertools
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from types import MappingProxyType
from typing import Any

from harness.base.cache import Cache, digest
from harness.base.errors import HostError, InputError
from harness.base.tools import dies_with_us

PLUGINS = "plugins"
"""TCG plugins (``-plugin``), which watch every memory access of the guest."""

FILE_MIGRATION = "file-migration"
"""A migration to and from a file by its path; without it, by an open file (``fd:``)."""

LOGS_INVALID_MEMORY = "logs-invalid-memory"
"""``-d invalid_mem``, without which it does not log accesses to nothing; else ``guest_errors``
logs them."""

RNG_MAY_HANG_UP = "rng-may-hang-up"
"""A vhost-user-rng may hang up, and come back. Since 8.2 it is built on ``vhost-user-base``, and
QEMU aborts when it is started again (hw/virtio/vhost-user-base.c:vub_connect, 11.1)."""

PACKED_RINGS, RINGS_IN_ORDER = "packed-rings", "rings-in-order"
"""A virtio disk may offer VIRTIO_F_RING_PACKED, and VIRTIO_F_IN_ORDER."""

NO_GUEST = ("-machine", "none", "-accel", "tcg", "-nodefaults", "-display", "none", "-qmp", "stdio")

TIMEOUT = 60.0
"""Seconds for all answers; measured: 0.3 on an idle host."""


@dataclass(frozen=True)
class _Answers:
    """What QEMU said: to ``device-list-properties`` by device (None: an error), and the rest."""

    devices: Mapping[str, Any]
    options: frozenset[str]
    log_items: frozenset[str]
    has_vhost_user_base: bool
    machines: frozenset[str]
    enums: tuple[frozenset[str], ...]
    """The members of each enumeration in the schema; the schema has no names of types."""


Question = Callable[[_Answers], bool]


def _device(name: str) -> Question:
    return lambda answers: answers.devices[name] is not None


def _property(device: str, name: str) -> Question:
    return lambda answers: any(one["name"] == name for one in answers.devices[device] or ())


BASIC_DEVICES = ("edu", "loader", "pci-serial", "pcie-root-port", "pvpanic-pci", "vmcoreinfo")
"""Devices of every machine (machine.py), and the PCI device of the probe."""

DEVICES = (
    *("edu", "nvme", "ivshmem-plain"),
    *("vhost-user-blk-pci", "vhost-user-rng-pci", "virtio-net-pci"),
    *("virtio-balloon-pci", "virtio-blk-device", "virtio-rng-device"),
    *("virtio-blk-pci", "virtio-rng-pci"),
    *("e1000e", "ich9-ahci", "ide-hd", "sd-card", "sdhci-pci", "qemu-xhci", "usb-storage"),
)
"""Devices that some tests plug in."""

BASICS: Mapping[str, Question] = MappingProxyType(
    {
        "the board 'virt'": lambda answers: "virt" in answers.machines,
        "the option -action": lambda answers: "action" in answers.options,
        **{f"the device {name}": _device(name) for name in BASIC_DEVICES},
    }
)
"""What no guest runs without."""

FEATURES: Mapping[str, Question] = MappingProxyType(
    {
        PLUGINS: lambda answers: "plugin" in answers.options,
        FILE_MIGRATION: lambda answers: any({"file", "exec"} <= one for one in answers.enums),
        RNG_MAY_HANG_UP: lambda answers: not answers.has_vhost_user_base,
        PACKED_RINGS: _property("virtio-blk-pci", "packed"),
        RINGS_IN_ORDER: _property("virtio-blk-pci", "in_order"),
        LOGS_INVALID_MEMORY: lambda answers: "invalid_mem" in answers.log_items,
        **{name: _device(name) for name in DEVICES},
    }
)
"""What some tests need, by the names that ``needs(qemu=...)`` takes."""


@dataclass(frozen=True)
class Capabilities:
    """What one QEMU can do: *features* are names of FEATURES.

    *missing* are those of BASICS that it lacks: if there is one, it runs no guest of the harness.
    """

    features: frozenset[str] = frozenset()
    missing: tuple[str, ...] = ()

    def lacking(self, names: Iterable[str]) -> tuple[str, ...]:
        """Those of *names* that this QEMU lacks; raises InputError for a name not in FEATURES."""
        wanted = tuple(names)
        for name in wanted:
            if name not in FEATURES:
                raise InputError(f"unknown feature of QEMU '{name}': add it to {__name__}.FEATURES")
        return tuple(name for name in wanted if name not in self.features)


@functools.cache
def capabilities_of(program: Path, identity: str) -> Capabilities:
    """What the QEMU *program* can do; cached by its *identity*, which changes with its content.

    Raises HostError if it does not answer.
    """
    key = digest(identity, str(program), Path(__file__))
    entry = CACHE.get(key, lambda directory: _write(program, directory))
    content = json.loads((entry / _FILE).read_text())
    return Capabilities(frozenset(content["features"]), tuple(content["missing"]))


CACHE, _FILE = Cache("qemu-capabilities"), "capabilities.json"


def _write(program: Path, directory: Path) -> None:
    answers = _ask(program)
    content = {
        "missing": [name for name, question in BASICS.items() if not question(answers)],
        "features": [name for name, question in FEATURES.items() if question(answers)],
    }
    (directory / _FILE).write_text(json.dumps(content, indent=1) + "\n")


def _ask(program: Path) -> _Answers:
    devices = tuple(dict.fromkeys((*BASIC_DEVICES, *DEVICES)))
    commands: list[tuple[str, dict[str, str]]] = [
        ("query-command-line-options", {}),
        ("query-machines", {}),
        ("query-qmp-schema", {}),
        ("human-monitor-command", {"command-line": "help log"}),
        ("qom-list-properties", {"typename": "vhost-user-base"}),
        *(("device-list-properties", {"typename": name}) for name in devices),
    ]
    options, machines, schema, items, base, *properties = _converse(program, commands)
    return _Answers(
        devices=dict(zip(devices, properties, strict=True)),
        options=frozenset(one["option"] for one in options or ()),
        log_items=frozenset(line.partition(" ")[0] for line in (items or "").splitlines()),
        has_vhost_user_base=base is not None,
        machines=frozenset(
            name for one in machines or () for name in (one["name"], one.get("alias"))
        ),
        enums=tuple(
            frozenset(member["name"] for member in one["members"])
            for one in schema or ()
            if one["meta-type"] == "enum"
        ),
    )


def _converse(program: Path, commands: Sequence[tuple[str, Mapping[str, str]]]) -> list[Any]:
    """QEMU's answers to *commands*, in their order; None for an error."""
    lines: list[Mapping[str, Any]] = [
        {"execute": "qmp_capabilities"},
        *({"execute": name, "arguments": a, "id": n} for n, (name, a) in enumerate(commands)),
    ]
    answers: dict[int, Any] = {}
    with (
        tempfile.TemporaryFile() as complaint,
        subprocess.Popen(
            dies_with_us([str(program), *NO_GUEST]), stdin=PIPE, stdout=PIPE, stderr=complaint
        ) as qemu,
    ):
        watchdog = threading.Timer(TIMEOUT, qemu.kill)
        watchdog.start()
        try:
            answers = dict(_replies(qemu, lines, len(commands)))
        except (OSError, ValueError):  # it is no QEMU; how it ended says more
            pass
        finally:
            watchdog.cancel()
            qemu.kill()
        complaint.seek(0)
        said = complaint.read().decode(errors="replace").strip()[-1000:]
    if len(answers) < len(commands):
        raise HostError(
            f"{program} did not say over QMP what it can do; it wrote: {said or 'nothing'}. Name "
            "a qemu-system-aarch64 with --qemu=PATH"
        )
    return [answers[number] for number in range(len(commands))]


def _replies(
    qemu: subprocess.Popen[bytes], lines: Sequence[Mapping[str, Any]], wanted: int
) -> Iterator[tuple[int, Any]]:
    """The first *wanted* answers with their numbers; QEMU drops commands once its input ends."""
    assert qemu.stdin is not None
    assert qemu.stdout is not None
    os.write(qemu.stdin.fileno(), "".join(json.dumps(line) + "\n" for line in lines).encode())
    replies = (json.loads(line) for line in qemu.stdout)
    for answer in itertools.islice((one for one in replies if "id" in one), wanted):
        yield answer["id"], answer.get("return")
