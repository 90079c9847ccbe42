# SPDX-License-Identifier: Apache-2.0
"""What is kept of a guest after a failure: its logs, command line, devicetree, registers, RAM."""

import contextlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from harness.errors import GuestError, HarnessError
from harness.paths import cache_directory
from harness.tools import run_tool
from harness.vm.description import save_machine
from harness.vm.guest import AGENT_LOG, COMMAND, CONSOLE_LOG, MONITOR_LOG, Guest
from harness.vm.machine import FENCE_LOG
from harness.vm.process import LOG

DUMP, SOURCE, REGISTERS, ENDING = "memory.elf", "machine.dts", "registers.txt", "ending.txt"
BOOT_LOG = "boot.log"

_FILES = (COMMAND, CONSOLE_LOG, MONITOR_LOG, AGENT_LOG, FENCE_LOG, LOG)


KEPT = 100
"""Directories of evidence that stay, about 20 MB each; the oldest make room for new ones."""


def failures_directory(name: str) -> Path:
    """A new directory for the evidence of one failure, under the user's cache directory."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    parent = cache_directory() / "failures"
    parent.mkdir(exist_ok=True)
    for old in sorted(parent.iterdir())[: -KEPT or None]:
        shutil.rmtree(old, ignore_errors=True)
    for number in range(1, 1000):
        path = parent / f"{stamp}-{name}-{number}"
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            return path
    raise HarnessError(f"{parent} holds a thousand failures of {name} from this second")


def save(guest: Guest, directory: Path) -> None:
    """Stop the guest and keep all that can be had of it in *directory*.

    A dead QEMU leaves its logs only. The dump is an ELF file of physical memory, made sparse.
    """
    guest.settle()
    (directory / ENDING).write_text(f"{guest.ending or 'alive'}\n")
    if guest.boot_log is not None:
        shutil.copy2(guest.boot_log, directory / BOOT_LOG)
    save_machine(guest.machine, directory)
    (directory / SOURCE).write_text(guest.machine.devicetree.source())
    with contextlib.suppress(HarnessError, GuestError):
        guest.pause()
        (directory / REGISTERS).write_text(guest.monitor.hmp("info registers -a"))
        dump = directory / DUMP
        guest.monitor.execute("dump-guest-memory", paging=False, protocol=f"file:{dump}")
        run_tool(["fallocate", "--dig-holes", dump])
    for name in _FILES:
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(guest.directory / name, directory / name)


@contextlib.contextmanager
def kept_if_it_fails(guest: Guest, name: str) -> Iterator[None]:
    """Close *guest* when the block fails, after its evidence is saved; the message says where."""
    try:
        yield
    except (GuestError, HarnessError) as error:
        directory = failures_directory(name)
        save(guest, directory)
        guest.close()
        error.add_note(f"logs and memory of the guest: {directory}")
        raise
    except BaseException:
        guest.close()
        raise
