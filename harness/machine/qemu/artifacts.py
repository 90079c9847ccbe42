# SPDX-License-Identifier: Apache-2.0
"""Keep the artifacts of a failed guest: logs, command line, devicetree, registers, RAM."""

import contextlib
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from harness.base.cache.evict import added
from harness.base.cache.layout import FAILURES
from harness.base.cache.lease import lease, leases
from harness.base.disk import writing
from harness.base.errors import GuestError, HarnessError, ToolError
from harness.base.kreport import reports_in
from harness.base.paths import cache_directory
from harness.base.tools import run_tool
from harness.kernel.code import KernelCode, decoded_traces
from harness.machine.description import save_machine
from harness.machine.machine import FENCE_LOG
from harness.machine.qemu.guest import AGENT_LOG, COMMAND, CONSOLE_LOG, MONITOR_LOG, Guest
from harness.machine.qemu.journal import acts_text
from harness.machine.qemu.process import LOG
from harness.machine.qemu.standalone import write_standalone

DUMP, SOURCE, REGISTERS, ENDING = "memory.elf", "machine.dts", "registers.txt", "ending.txt"
BOOT_LOG, ROGUE_LOG, TRACES = "boot.log", "rogue.log", "traces.txt"

ACTS = "acts.jsonl"
"""What was done to the guest, for a replay (``harness debug``)."""

_FILES = (COMMAND, CONSOLE_LOG, MONITOR_LOG, AGENT_LOG, FENCE_LOG, ROGUE_LOG, LOG)


def failures_directory(name: str) -> Path:
    """A new directory for the artifacts of one failure, under the user's cache directory."""
    stamp = time.strftime("%Y%m%d-%H%M%S")
    parent = cache_directory() / FAILURES
    parent.mkdir(exist_ok=True)
    for number in range(1, 1000):
        path = parent / f"{stamp}-{name}-{number}"
        with contextlib.suppress(FileExistsError):
            path.mkdir()
            lease(path)
            return path
    raise HarnessError(f"{parent} has a thousand failures of {name} from this second")


def save(guest: Guest, directory: Path) -> None:
    """Stop the guest and save its artifacts in *directory*.

    A dead QEMU leaves its logs only. The dump is a sparse ELF file of physical memory. The machine
    can be started from there with the harness, and without it (run.sh, README.txt).
    """
    guest.settle()
    (directory / ENDING).write_text(f"{guest.ending or 'alive'}\n")
    if guest.boot_log is not None:
        shutil.copy2(guest.boot_log, directory / BOOT_LOG)
    save_machine(guest.machine, directory)
    (directory / SOURCE).write_text(guest.machine.devicetree.source())
    write_standalone(guest.machine, directory)
    _write_traces(guest, directory)
    if guest.agent.journal.acts:
        (directory / ACTS).write_text(acts_text(guest.agent.journal.acts))
    with contextlib.suppress(HarnessError, GuestError):
        guest.pause()
        (directory / REGISTERS).write_text(guest.monitor.hmp("info registers -a"))
        _dump(guest, directory / DUMP)
    for name in _FILES:
        with contextlib.suppress(FileNotFoundError):
            shutil.copy2(guest.directory / name, directory / name)


def _dump(guest: Guest, dump: Path) -> None:
    """Dump the guest's memory; remove a dump that failed, so that the logs have its place."""
    try:
        guest.monitor.execute("dump-guest-memory", paging=False, protocol=f"file:{dump}")
    except (HarnessError, GuestError):
        dump.unlink(missing_ok=True)
        raise
    dump.chmod(0o600)  # QEMU makes it for reading alone, dump/dump.c:qmp_dump_guest_memory
    with contextlib.suppress(ToolError):  # not every file system has holes
        run_tool(["fallocate", "--dig-holes", dump])


def _write_traces(guest: Guest, directory: Path) -> None:
    """Save the stacks of the kernel's reports with file and line, if there are any."""
    machine = guest.machine
    code = KernelCode(machine.kernel.vmlinux, {"probe": machine.initramfs.probe})
    with contextlib.suppress(HarnessError):  # the console has them without file and line
        traces = decoded_traces(reports_in(guest.kernel_log()), code)
        if traces:
            (directory / TRACES).write_text(traces)


def keep(guest: Guest, name: str) -> Path:
    """Save the artifacts of failure *name* in a new directory and return that.

    The cache may evict the oldest failures for it. Raises HostError when that fails, for example on
    a full disk.
    """
    with leases(), writing(f"the artifacts of {name}", cache_directory()):
        directory = failures_directory(name)
        try:
            save(guest, directory)
        except BaseException:
            shutil.rmtree(directory, ignore_errors=True)
            raise
        added(directory)
    return directory


def reopen_command(directory: Path) -> str:
    """The command that starts the machine of a failure in *directory* and replays its calls."""
    found = shutil.which("harness")
    program = "harness" if found else str(Path(sys.executable).with_name("harness"))
    return shlex.join([program, "debug", str(directory)])


@contextlib.contextmanager
def kept_if_it_fails(guest: Guest, name: str) -> Iterator[None]:
    """When the block fails, save the artifacts of *guest*, note their path, and close it."""
    try:
        yield
    except (GuestError, HarnessError) as error:
        directory, said = _keep_and_tell(guest, name)
        error.add_note(said)
        if isinstance(error, GuestError):
            error.artifacts = directory
        guest.close()
        raise
    except BaseException:
        guest.close()
        raise


def _keep_and_tell(guest: Guest, name: str) -> tuple[str, str]:
    """The directory, empty if the disk does not take it, and what to say of it."""
    try:
        directory = keep(guest, name)
    except HarnessError as fault:
        return "", str(fault)
    reopen = reopen_command(directory)
    return str(directory), f"start that machine again: {reopen}\nlogs and memory: {directory}"
