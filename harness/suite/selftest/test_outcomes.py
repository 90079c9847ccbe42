# SPDX-License-Identifier: Apache-2.0
"""The harness itself: however a guest ends, it is seen at once and called by its name."""

import os
import re
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.base.errors import GuestCrash, GuestError, GuestHang, HostError, QemuError
from harness.base.kreport import Detector
from harness.base.outcome import Outcome
from harness.devices.probe import Device, Direction, Mapping, Probe
from harness.kernel import Kernel
from harness.machine.machine import AGENT_SOCKET, Machine
from harness.machine.qemu import pulse
from harness.machine.qemu.agent import Agent
from harness.machine.qemu.artifacts import TRACES, keep
from harness.machine.qemu.console import LINE_LIMIT
from harness.machine.qemu.guest import CONSOLE_LOG, Guest
from harness.machine.qemu.snapshot import boot
from harness.observe.memory import KernelTypes, LiveMemory
from harness.plugin.boots import Boots
from harness.plugin.results import NotJudged
from harness.suite.lib.busy_host import pin_to_one_cpu, spinning_on_one_cpu
from harness.suite.lib.expect.kernel import SYNC_WARNING

pytestmark = pytest.mark.any_kernel("it makes guests end in every way")

SIZE = 4096
"""Bytes of a buffer."""

FOREVER = 600.0
"""Seconds; pytest ends a test earlier, so nothing but the guest's own end ends such a wait."""

DEADLINE = 60.0
"""Seconds for what takes milliseconds on an idle machine."""

SHORT = 0.1
"""Seconds for a wait that must run out."""

OTHERS = 7
"""Programs beside QEMU on one processor, which leave it an eighth."""

SILENCE = 1.0
"""Seconds after which a boot without a word is given up."""

SPIN = (0x14000000).to_bytes(4, "little")
"""A kernel image that says nothing: ``b .`` (Arm ARM, C6.2, B)."""

SPIN_LOCKED = b"\1"
"""The low byte of a held spinlock (include/asm-generic/qspinlock_types.h, ``locked``)."""

MASK_INTERRUPTS = (0xD50342DF).to_bytes(4, "little")
"""``msr daifset, #2`` (Arm ARM, C6.2, MSR (immediate))."""

WRITE_LOCKED = (1).to_bytes(8, "little")
"""The count of a semaphore that a writer holds (kernel/locking/rwsem.c, RWSEM_WRITER_LOCKED)."""


LOCKS_ARE_WORDS = pytest.mark.needs(
    "with PREEMPT_RT a lock is a queue of tasks, which no number closes", config="PREEMPT_RT=n"
)


@pytest.fixture
def overwrite(memory: LiveMemory, types: KernelTypes) -> Callable[[str, bytes], None]:
    """Writes bytes over the kernel's variable of that name."""

    def write(symbol: str, content: bytes) -> None:
        memory.write(types.image.to_phys(types.symbols.address(symbol)), content)

    return write


@pytest.fixture
def mapping(device: Device, probe: Probe) -> Mapping:
    """A page that is mapped for the device to read."""
    return device.map_single(probe.buffer(SIZE), Direction.TO_DEVICE)


@pytest.fixture
def artifacts(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the artifacts of failed boots goes from now on; the machine's parts exist already."""
    assert machine.initramfs.path.exists()
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    return tmp_path / "failures"


def detectors(guest: Guest) -> list[Detector]:
    """Which detectors of the kernel reported, once the reports are complete."""
    guest.settle()
    return [report.detector for report in guest.console.reports]


def kept_console(error: GuestError, artifacts: Path) -> str:
    """The console's log in the directory that the error's last note names."""
    note = error.__notes__[-1]
    directory = Path(note.rpartition(" ")[2])
    assert directory.parent == artifacts
    return (directory / CONSOLE_LOG).read_text()


@pytest.mark.expects_report("sysrq triggered crash")
def test_a_panic_is_a_crash_in_the_kernels_own_words(guest: Guest) -> None:
    """A panic ends what waits for the guest, and pvpanic tells it while the kernel reports."""
    with pytest.raises(GuestCrash, match=r"panic: .* sysrq triggered crash"):
        guest.agent.run("echo c > /proc/sysrq-trigger", FOREVER)

    assert detectors(guest) == [Detector.PANIC]
    assert "GUEST_PANICKED" in [event["event"] for event in guest.monitor.events]


@pytest.mark.expects_report("NULL pointer|paging request|Oops")
def test_an_oops_is_a_crash_and_its_report_is_whole(
    guest: Guest, overwrite: Callable[[str, bytes], None]
) -> None:
    """A kernel that follows a bad pointer is a crash from the oops's first line on."""
    overwrite("saved_command_line", bytes(8))

    with pytest.raises(GuestCrash, match="oops: Unable to handle kernel "):
        guest.agent.read_file("/proc/cmdline", FOREVER)

    assert detectors(guest) == [Detector.OOPS]


@pytest.mark.expects_report("BUG")
def test_a_bug_check_is_a_crash_that_names_its_line(
    guest: Guest, device: Device, mapping: Mapping
) -> None:
    """A driver that syncs in no direction runs into the DMA API's BUG_ON."""
    with pytest.raises(GuestCrash, match=r"bug: kernel BUG at (\S*/)?kernel/dma/mapping\.c:\d+!"):
        device.unchecked.sync_single_for_cpu(mapping.dma_addr, SIZE, Direction.NONE)

    assert detectors(guest) == [Detector.BUG]


@pytest.mark.expects_report("BUG")
def test_a_kept_crash_has_the_kernels_stack_in_files_and_lines(
    guest: Guest, device: Device, mapping: Mapping, artifacts: Path
) -> None:
    """What is kept of a crash names the line of the BUG_ON, and that of the module's call."""
    with pytest.raises(GuestCrash):
        device.unchecked.sync_single_for_cpu(mapping.dma_addr, SIZE, Direction.NONE)

    directory = keep(guest, "crash")

    assert directory.parent == artifacts
    assert guest.ending is not None
    line = re.search(r"kernel BUG at (?:\S*/)?(kernel/dma/\S+)!", guest.ending.detail)
    traces = (directory / TRACES).read_text()
    assert line
    assert f" ({line[1]})" in traces
    assert re.search(r"^  call_raw_sync \(guest/probe/raw\.c:\d+\) \[probe\]", traces, re.M)


@pytest.mark.expects_report(SYNC_WARNING)
@pytest.mark.needs("it says more of that driver", config="DMA_API_DEBUG=n")
def test_a_warning_is_reported_and_the_guest_goes_on(
    guest: Guest, device: Device, mapping: Mapping
) -> None:
    """A driver that syncs more than it mapped gets a warning, which ends nothing."""
    device.unchecked.sync_single_for_device(mapping.dma_addr, 2 * SIZE, Direction.TO_DEVICE)

    guest.console.wait_for("end trace", DEADLINE)
    assert detectors(guest) == [Detector.WARNING]
    assert guest.agent.run("echo alive").text == "alive\n"
    assert guest.ending is None


@LOCKS_ARE_WORDS
@pytest.mark.expects_report("soft ?lockup")  # and the panic that comes of it, if there is time
def test_a_cpu_that_spins_in_the_kernel_is_a_hang(
    guest: Guest, overwrite: Callable[[str, bytes], None]
) -> None:
    """A lock that nobody releases is a hang as soon as the kernel's watchdog says so."""
    guest.agent.write_file("/proc/sys/kernel/watchdog_thresh", b"1")
    overwrite("cdev_lock", SPIN_LOCKED)

    with pytest.raises(GuestHang, match="hang: watchdog: BUG: soft lockup - CPU#0"):
        guest.agent.run("cat /dev/null", FOREVER)


@LOCKS_ARE_WORDS
@pytest.mark.expects_report("soft ?lockup")
def test_a_watchdog_is_not_believed_on_a_busy_host(
    guest: Guest, overwrite: Callable[[str, bytes], None]
) -> None:
    """What the guest's clock makes a hang is the host's fault if it did not let the guest run."""
    guest.agent.write_file("/proc/sys/kernel/watchdog_thresh", b"2")
    with spinning_on_one_cpu(OTHERS):
        pin_to_one_cpu(guest.process.pid)
        overwrite("cdev_lock", SPIN_LOCKED)

        with pytest.raises(HostError, match=r"it gave QEMU \d+% of the last 30 s, .* soft lockup"):
            guest.agent.run("cat /dev/null", FOREVER)


def test_a_cpu_that_takes_no_interrupts_is_a_hang(
    guest: Guest, overwrite: Callable[[str, bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CPU that spins with interrupts off is a hang, though its kernel cannot say so."""
    monkeypatch.setattr(pulse, "LONGEST", 2.0)  # of a whole processor of the host
    overwrite("__arm64_sys_sethostname", MASK_INTERRUPTS + SPIN)

    with pytest.raises(GuestHang, match=r"hang: CPU 0 has taken no interrupt for 2 s, at pc 0x"):
        guest.agent.run("hostname stuck", FOREVER)

    assert guest.console.reports == ()


@LOCKS_ARE_WORDS
@pytest.mark.expects_report("blocked for more than")
def test_a_task_that_waits_forever_is_a_hang(
    guest: Guest, overwrite: Callable[[str, bytes], None]
) -> None:
    """A task that never gets its semaphore is a hang as soon as the kernel says so."""
    guest.agent.write_file("/proc/sys/kernel/hung_task_timeout_secs", b"1")
    overwrite("uts_sem", WRITE_LOCKED)

    with pytest.raises(GuestHang, match=r"hang: INFO: task .* blocked"):
        guest.agent.run("uname", FOREVER)


@pytest.mark.parametrize(
    ("command", "outcome"),
    [("reboot -f", Outcome.RESET), ("poweroff -f", Outcome.POWER_OFF)],
    ids=["reset", "power-off"],
)
def test_a_guest_that_leaves_is_a_crash(guest: Guest, command: str, outcome: Outcome) -> None:
    """A guest that resets itself or switches itself off is gone at once, and is not restarted."""
    with pytest.raises(GuestCrash, match=outcome.value):
        guest.agent.run(command, FOREVER)

    assert guest.wait_end(DEADLINE).outcome is outcome


def test_a_qemu_that_is_killed_is_no_fault_of_the_guest(guest: Guest) -> None:
    """When QEMU dies, agent and monitor say so, and how it ended."""
    os.kill(guest.process.pid, signal.SIGKILL)

    with pytest.raises(QemuError, match="QEMU died: it was ended by SIGKILL"):
        guest.agent.hello(FOREVER)
    with pytest.raises(QemuError, match="QEMU died: it was ended by SIGKILL"):
        guest.monitor.execute("query-status")


def test_a_silent_agent_is_a_hang_that_says_what_was_awaited(guest: Guest) -> None:
    """A guest that stands still is a hang at the deadline; when it runs again it is well."""
    guest.pause()

    with pytest.raises(GuestHang, match=r"hello was awaited for 0\.1 s\. Last seen"):
        guest.agent.hello(SHORT)

    guest.resume()
    assert guest.agent.run("echo alive").text == "alive\n"


def test_garbage_on_the_console_does_not_disturb_the_agent(guest: Guest) -> None:
    """While garbage without a line end floods the console, the agent answers and none is lost."""
    guest.agent.run("tr -d '\\n' < /dev/urandom > /dev/console 2>&1 &")

    guest.console.wait_for(".{1000}", DEADLINE)

    assert guest.agent.run("echo alive").text == "alive\n"
    assert max(map(len, guest.console.lines)) <= LINE_LIMIT
    assert guest.ending is None


@pytest.mark.unexamined("its agent has another client than the harness's own")
def test_garbage_on_the_agents_line_costs_nothing_but_itself(guest: Guest) -> None:
    """After garbage, a cut frame among it, the agent takes the next request."""
    boot_id = guest.agent.hello().boot_id
    guest.agent.close()
    line = guest.connect(AGENT_SOCKET)

    line.sendall(os.urandom(2 * SIZE) + b"\x7e\x01\x00")

    agent = Agent(line)
    assert agent.hello().boot_id == boot_id
    agent.close()


@pytest.mark.parametrize("append", ["rdinit=/nowhere"])
def test_a_kernel_that_does_not_come_up_is_a_crash_with_artifacts(
    machine: Machine, artifacts: Path
) -> None:
    """A panic in the boot ends the wait for the agent; the error names the console's log."""
    with pytest.raises(GuestCrash, match="panic: Kernel panic") as caught:
        boot(machine, FOREVER)

    assert "Kernel panic" in kept_console(caught.value, artifacts)


@pytest.fixture
def mute(machine: Machine, tmp_path: Path) -> Kernel:
    """A kernel that never says anything."""
    kernel = replace(machine.kernel, key="mute", directory=tmp_path)
    kernel.image.write_bytes(SPIN)
    return kernel


def test_a_boot_without_a_word_is_a_hang_with_artifacts(
    machine: Machine, mute: Kernel, artifacts: Path
) -> None:
    """A guest that never says anything is a hang, and the error says that there was nothing."""
    with pytest.raises(GuestHang, match="nothing on the console") as caught:
        boot(replace(machine, kernel=mute), SILENCE)

    assert kept_console(caught.value, artifacts) == ""


@pytest.mark.usefixtures("artifacts")
def test_a_kernel_that_does_not_boot_costs_a_run_one_boot(
    machine: Machine,
    mute: Kernel,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One test of a run has the kernel's hang as its result; for other workers it is not judged."""
    monkeypatch.setattr("harness.machine.qemu.guest.BOOT_SILENCE", SILENCE)
    workers = [Boots(tmp_path, machine.qemu, machine.ram_size) for _ in range(2)]
    stash = pytest.Stash()

    with pytest.raises(GuestHang, match="nothing on the console"):
        workers[0].require(stash, mute, machine.initramfs)

    for worker in workers:
        with pytest.raises(NotJudged, match="the kernel does not boot"):
            worker.require(stash, mute, machine.initramfs)
        worker.require(stash, machine.kernel, machine.initramfs)
