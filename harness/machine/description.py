# SPDX-License-Identifier: Apache-2.0
"""Save and load machines, to start the machine of a failed test again."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from harness.base.address_range import AddressRange
from harness.base.cache.layout import MACHINE_RECORD
from harness.base.cache.lease import lease
from harness.base.errors import InputError
from harness.kernel import Initramfs, load_kernel
from harness.machine.binary import find_qemu
from harness.machine.devicetree import Devicetree, DynamicPool, Pool
from harness.machine.fence import Fence, fence_named
from harness.machine.machine import BLOB, Machine
from harness.machine.virtio import VirtioDevice


def save_machine(machine: Machine, directory: Path) -> None:
    """Write the machine's description and its devicetree blob into *directory*."""
    devicetree = machine.devicetree
    content = {
        "qemu": str(machine.qemu.path),
        "kernel": str(machine.kernel.directory),
        "initramfs": {"path": str(machine.initramfs.path), "key": machine.initramfs.key},
        "pools": [dataclasses.asdict(pool) for pool in devicetree.pools],
        "dynamic": [dataclasses.asdict(pool) for pool in devicetree.dynamic],
        "overlays": devicetree.overlays,
        "ram_size": machine.ram_size,
        "cpus": machine.cpus,
        "ports": machine.ports,
        "append": machine.append,
        "virtio": [dataclasses.asdict(device) for device in machine.virtio],
        "iommu": machine.iommu,
        "fence": machine.fence and machine.fence.name,
        "windows": [dataclasses.astuple(w) for w in machine.fence.windows] if machine.fence else [],
        "logs_caches": bool(machine.firmware and machine.firmware.cache_log),
        "share_all": machine.share_all,
    }
    (directory / MACHINE_RECORD).write_text(json.dumps(content, indent=1) + "\n")
    (directory / BLOB).write_bytes(devicetree.blob)


def load_machine(directory: Path) -> Machine:
    """Read a machine back; raises InputError when *directory* has none, or files of it are gone."""
    try:
        content = json.loads((directory / MACHINE_RECORD).read_text())
        blob = (directory / BLOB).read_bytes()
        parts = Path(content["kernel"]), Path(content["initramfs"]["path"])
    except (OSError, ValueError, KeyError) as fault:
        raise InputError(
            f"cannot read a machine from {directory}, which must contain {MACHINE_RECORD} and "
            f"{BLOB} of a failure: {fault!r}"
        ) from fault
    lease(directory)
    for part in parts:
        if not part.exists() or not lease(part if part.is_dir() else part.parent):
            raise InputError(
                f"the machine of {directory} cannot be started again: {part} is no longer in the "
                "cache. Read its logs and its memory there, or run the test again for a new machine"
            )
    return _read_machine(content, blob)


def _read_machine(content: Any, blob: bytes) -> Machine:
    initramfs = content["initramfs"]
    return Machine(
        qemu=find_qemu(content["qemu"]),
        kernel=load_kernel(Path(content["kernel"])),
        initramfs=Initramfs(Path(initramfs["path"]), initramfs["key"]),
        devicetree=Devicetree(
            blob,
            tuple(Pool(**_tuples(pool)) for pool in content["pools"]),
            tuple(DynamicPool(**_tuples(pool)) for pool in content["dynamic"]),
            tuple(content["overlays"]),
        ),
        ram_size=content["ram_size"],
        cpus=content["cpus"],
        ports=content["ports"],
        append=content["append"],
        virtio=tuple(VirtioDevice(**device) for device in content["virtio"]),
        iommu=content["iommu"],
        fence=_read_fence(content),
        share_all=content["share_all"],
    )


def _read_fence(content: Any) -> Fence | None:
    if content["fence"] is None:
        return None
    windows = [AddressRange(*window) for window in content["windows"]]
    return fence_named(
        content["fence"], windows, content["ports"], logs_caches=content.get("logs_caches", False)
    )


def _tuples(fields: dict[str, Any]) -> dict[str, Any]:
    """*fields* with tuples for the lists of JSON."""
    return {name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()}
