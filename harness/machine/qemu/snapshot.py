# SPDX-License-Identifier: Apache-2.0
"""Boot a machine; park the booted guest once; restore it, checked, for every test.

A parked guest is its RAM, and a QEMU migration stream of its devices, in a cache keyed by all
inputs of the machine. A restore copies the RAM while QEMU starts, which has only devices to load.
Its root ports are empty: ``edu`` loses its state in a migration and the vhost-user devices refuse
it (measured with QEMU 7.2).
"""

import dataclasses
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from shlex import quote

from harness.base.cache import Cache, digest
from harness.base.cache.layout import KERNEL
from harness.base.errors import ProtocolError
from harness.machine.binary import Qemu
from harness.machine.capabilities import FILE_MIGRATION
from harness.machine.machine import Machine
from harness.machine.qemu.agent import Hello
from harness.machine.qemu.artifacts import kept_if_it_fails
from harness.machine.qemu.guest import BOOT_TIMEOUT, CONSOLE_LOG, Guest
from harness.machine.qemu.monitor import Event, Monitor

STATE, IDENTITY = "state", "identity.json"

FORMAT = "devices, RAM, identity, console log of a settled guest"
"""The content of an entry; a change of this text makes old entries invisible."""

MIGRATION_TIMEOUT = 60.0
"""Seconds for the state of the devices to be written or read; measured: 0.1."""

CAPABILITIES = ("events", "x-ignore-shared")
"""Of a migration (QEMU, qapi/migration.json). All RAM is shared, only flash and ROMs are not."""

SETTLE = "sleep 0.1"
"""A command for the guest before it is parked. What the boot left to do, such as the start of the
console's shell, would else be done, and translated by QEMU, in every restored guest: 30 of the
100 ms of CPU that it takes to answer and to make a first mapping."""

UNLIMITED = 1 << 40
"""Bytes per second; QEMU's default of 128 MiB/s would slow down parking."""

PARKED = Cache("parked")


@dataclass(frozen=True)
class Snapshot:
    """A parked guest: its machine, migration stream, identity by its agent, and console log.

    *ram* is the directory of its saved RAM (ram.py).
    """

    machine: Machine
    state: Path
    ram: Path
    identity: Hello
    boot_log: Path


def boot(machine: Machine, timeout: float = BOOT_TIMEOUT) -> Guest:
    """Boot *machine* and wait until its agent answers; *timeout* in seconds.

    Raises GuestCrash or GuestHang when the kernel does not boot, QemuError when QEMU does not
    start; a note has the path of the artifacts.
    """
    guest = Guest(machine)
    with kept_if_it_fails(guest, "boot"):
        guest.resume()
        guest.wait_ready(timeout)
    return guest


def park(machine: Machine) -> Snapshot:
    """Return the machine's parked guest; boot it if the cache has none."""
    entry = PARKED.get(digest(machine.key, FORMAT), lambda directory: _park(machine, directory))
    return _read(machine, entry)


def park_running(guest: Guest, directory: Path) -> Snapshot:
    """Stop *guest*, whose root ports must be empty, and park it in *directory*.

    Raises ProtocolError when the migration fails.
    """
    guest.agent.run(SETTLE, MIGRATION_TIMEOUT)
    identity = guest.agent.hello(MIGRATION_TIMEOUT)
    guest.pause()
    _announce_migration(guest.monitor)
    guest.monitor.execute("migrate-set-parameters", max_bandwidth=UNLIMITED)
    begin = guest.monitor.mark
    _receive_state(guest.monitor, directory)
    _wait_migrated(guest.monitor, begin)
    guest.ram.save(directory)
    booted = guest.boot_log.read_bytes() if guest.boot_log else b""
    log = booted + (guest.directory / CONSOLE_LOG).read_bytes()
    (directory / CONSOLE_LOG).write_bytes(log)
    (directory / IDENTITY).write_text(json.dumps(dataclasses.asdict(identity)))
    return _read(guest.machine, directory)


def restore(
    snapshot: Snapshot,
    prepare: Callable[[Guest], None] | None = None,
    extra: tuple[str, ...] = (),
    files: tuple[int, ...] = (),
) -> Guest:
    """Start a new QEMU from a parked guest and check that it is the one that was parked.

    *prepare* is called after the restore and before the guest runs. *extra* arguments for QEMU must
    not change its devices; it inherits the open *files*. Raises ProtocolError when another guest
    answers, and the guest's ending when it dies.
    """
    with snapshot.state.open("rb") as state:
        guest = Guest(
            snapshot.machine,
            extra=("-incoming", "defer", *extra),
            boot_log=snapshot.boot_log,
            files=(state.fileno(), *files),
            saved_ram=snapshot.ram,
        )
        incoming = _incoming(snapshot.machine.qemu, state.fileno())
    with kept_if_it_fails(guest, "restore"):
        _announce_migration(guest.monitor)
        # it has no network cards yet; QEMU 7.2 dies when it announces a vhost-user card that was
        # plugged in meanwhile (net/announce.c, net/vhost-user.c)
        guest.monitor.execute("migrate-set-parameters", announce_rounds=0)
        begin = guest.monitor.mark
        guest.monitor.execute("migrate-incoming", uri=incoming)
        _wait_migrated(guest.monitor, begin)
        if prepare is not None:
            prepare(guest)
        guest.resume()
        _check(guest.agent.hello(MIGRATION_TIMEOUT), snapshot.identity)
    return guest


def _incoming(qemu: Qemu, state: int) -> str:
    """The URI of a state that QEMU has inherited as the open file *state*.

    Newer versions refuse a file as ``fd:`` and take it by its path, older ones have no path
    (QEMU, migration/fd.c:fd_start_incoming_migration). The path of the open file reaches a state
    that was removed from the cache meanwhile.
    """
    takes_path = FILE_MIGRATION in qemu.capabilities.features
    return f"file:/dev/fd/{state}" if takes_path else f"fd:{state}"


def _park(machine: Machine, directory: Path) -> None:
    with boot(machine) as guest:
        park_running(guest, directory)
    (directory / KERNEL).write_text(machine.kernel.key)


def _read(machine: Machine, directory: Path) -> Snapshot:
    identity = Hello(**json.loads((directory / IDENTITY).read_text()))
    return Snapshot(machine, directory / STATE, directory, identity, directory / CONSOLE_LOG)


def _receive_state(monitor: Monitor, directory: Path) -> None:
    """Make QEMU send its state, and read it to the end.

    QEMU reports "completed" before the program that receives the state has ended, so only the end
    of the pipe says that the state is complete.
    """
    pipe = directory / "pipe"
    os.mkfifo(pipe)
    monitor.execute("migrate", uri=f"exec:cat > {quote(str(pipe))}")
    with pipe.open("rb") as incoming, (directory / STATE).open("wb") as state:
        shutil.copyfileobj(incoming, state)
    pipe.unlink()


def _announce_migration(monitor: Monitor) -> None:
    """Request an event at every step of a migration, which leaves out RAM that is shared."""
    capabilities = [{"capability": name, "state": True} for name in CAPABILITIES]
    monitor.execute("migrate-set-capabilities", capabilities=capabilities)


def _wait_migrated(monitor: Monitor, begin: int) -> None:
    """Wait for the end of the migration whose first event is number *begin*."""

    def over(event: Event) -> bool:
        return event["data"]["status"] in ("completed", "failed")

    event = monitor.wait_event("MIGRATION", timeout=MIGRATION_TIMEOUT, match=over, since=begin)
    if event["data"]["status"] == "failed":
        reason = monitor.execute("query-migrate").get("error-desc", "no reason given")
        raise ProtocolError(f"the migration of the guest failed: {reason}")


def _check(seen: Hello, parked: Hello) -> None:
    """Check that a restored guest is the parked one: same boot and kernel, more uptime."""
    same = (seen.boot_id, seen.release, seen.build_id) == (
        parked.boot_id,
        parked.release,
        parked.build_id,
    )
    if not same or seen.uptime < parked.uptime:
        raise ProtocolError(f"the restored guest is {seen}, but {parked} was parked")
