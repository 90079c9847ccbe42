# SPDX-License-Identifier: Apache-2.0
"""Check once per run, for all tests and workers, whether the kernel under test boots.

The machine of the default shape decides. A kernel that does not boot there costs one test its
time-out; the others are not judged. Any other machine that does not boot is a result of its tests.
"""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from filelock import FileLock

from harness.base.errors import GuestError
from harness.kernel import Initramfs, Kernel
from harness.machine.binary import Qemu
from harness.machine.machine import Machine
from harness.machine.qemu.snapshot import park
from harness.machine.shape import DEFAULT_SHAPE, shaped_devicetree
from harness.plugin.results import NotJudged, no_boot_key
from harness.plugin.session import runs_in_worker


@dataclass(frozen=True)
class Boots:
    """Which kernels of a run boot; *shared* is a directory that all workers of the run use."""

    shared: Path
    qemu: Qemu
    ram_size: int
    _booted: set[str] = field(default_factory=set)

    def require(self, stash: pytest.Stash, kernel: Kernel, initramfs: Initramfs) -> None:
        """Let the test that has this *stash* continue if *kernel* boots.

        Raises GuestCrash or GuestHang for the first test of the run that needs the kernel, and
        NotJudged for all others.
        """
        if kernel.key in self._booted:
            return
        verdict = self.shared / f"no-boot-{kernel.key}"
        with FileLock(f"{verdict}.lock"):
            if verdict.exists():
                raise NotJudged(f"the kernel does not boot ({verdict.read_text()})")
            try:
                park(self._machine(kernel, initramfs))
            except GuestError as error:
                verdict.write_text(str(error).partition("; last console line")[0])
                stash[no_boot_key] = True
                error.properties = ()
                raise
        self._booted.add(kernel.key)

    def _machine(self, kernel: Kernel, initramfs: Initramfs) -> Machine:
        devicetree = shaped_devicetree(self.qemu, DEFAULT_SHAPE, ram_size=self.ram_size)
        return Machine(self.qemu, kernel, initramfs, devicetree, self.ram_size)


def shared_directory(config: pytest.Config, base: Path) -> Path:
    """Return the directory that all workers share; *base* is this process's temporary one."""
    return base.parent if runs_in_worker(config) else base
