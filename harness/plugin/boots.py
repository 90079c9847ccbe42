# SPDX-License-Identifier: Apache-2.0
"""Check once per run, for all tests and workers, whether the kernel under test can be tested.

The machine of the default shape decides. A kernel that does not boot there costs one test its
time-out; the others are not judged. If the kernel boots and refuses the probe module, no test is
judged. Any other machine that does not boot is a result of its tests.
"""

import re
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

REMEDIES = {
    "Exec format error": (
        "The headers are of another build than the image: run 'make ARCH=arm64 Image modules' again"
    ),
    "Required key not available": (
        "It loads signed modules only: build it without CONFIG_MODULE_SIG_FORCE"
    ),
    "Key was rejected by service": (
        "It loads signed modules only: build it without CONFIG_MODULE_SIG_FORCE"
    ),
    "No such file or directory": (
        "It does not export what the probe calls: build it without CONFIG_TRIM_UNUSED_KSYMS"
    ),
}
"""What to do about each error of finit_module(2), as the guest's libc words it."""

_REFUSED = re.compile(r"agent: loading \S+/probe\.ko: (.*)")
_STAMPS = re.compile(r"^(?:\[ *\d+\.\d+\](?:\[[^]]*\])? ?)+")
"""The console's own time, and the kernel's if it has any (PRINTK_TIME), with PRINTK_CALLER."""

_ABOUT_MODULES = re.compile(r"^probe: |[Mm]odule")


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
        NotJudged for all others; NotJudged for all if the kernel refuses the probe.
        """
        if kernel.key in self._booted:
            return
        verdict = self.shared / f"no-boot-{kernel.key}"
        with FileLock(f"{verdict}.lock"):
            if verdict.exists():
                raise NotJudged(verdict.read_text())
            try:
                snapshot = park(self._machine(kernel, initramfs))
            except GuestError as error:
                ending = str(error).partition("; last console line")[0]
                verdict.write_text(f"the kernel does not boot ({ending})")
                stash[no_boot_key] = True
                error.properties = ()
                raise
            if refusal := refused_probe(snapshot.boot_log.read_text(errors="replace")):
                verdict.write_text(refusal)
                raise NotJudged(refusal)
        self._booted.add(kernel.key)

    def _machine(self, kernel: Kernel, initramfs: Initramfs) -> Machine:
        devicetree = shaped_devicetree(self.qemu, DEFAULT_SHAPE, ram_size=self.ram_size)
        return Machine(self.qemu, kernel, initramfs, devicetree, self.ram_size)


def refused_probe(log: str) -> str:
    """Why the kernel did not load the probe, and what to do, by its console *log*; empty if it did.

    The agent prints the error (guest/agent/setup.c), and the kernel the reason before it.
    """
    found = _REFUSED.search(log)
    if found is None:
        return ""
    error = found[1].strip()
    said = [_STAMPS.sub("", line).strip() for line in log[: found.start()].splitlines()]
    reason = next(
        (line for line in reversed(said) if _ABOUT_MODULES.search(line)), "it does not say why"
    )
    remedy = REMEDIES.get(error, "Build the kernel and its modules again")
    return f"the kernel refuses the probe module: {error} ({reason}). {remedy}"


def shared_directory(config: pytest.Config, base: Path) -> Path:
    """Return the directory that all workers share; *base* is this process's temporary one."""
    return base.parent if runs_in_worker(config) else base
