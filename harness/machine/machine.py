# SPDX-License-Identifier: Apache-2.0
"""Machine: the frozen description of one virtual machine, and its QEMU command line."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from harness.base.address_range import AddressRange
from harness.base.architecture import accelerator
from harness.base.cache import digest
from harness.base.space import MIB
from harness.kernel import Geometry, Initramfs, Kernel
from harness.kernel.abilities import is_set
from harness.machine.binary import Qemu
from harness.machine.capabilities import LOGS_INVALID_MEMORY
from harness.machine.cpu import PLAIN, Cpu, cpu_for
from harness.machine.devicetree import Devicetree, complete
from harness.machine.fence import Fence, Firmware
from harness.machine.layout import RAM_BASE, RamBlock, cut
from harness.machine.virtio import MODERN, VirtioDevice

DEFAULT_RAM = 256 * MIB

KERNEL_ARGUMENTS = "earlycon console=ttyAMA0 printk.time=1 panic=-1 oops=panic softlockup_panic=1"
"""A panic ends the guest: pvpanic pauses the machine, and before its driver is up a reset ends it.
``earlycon`` shows a panic in the set-up of reserved memory, which comes before both. Where a thread
prints the log (the PL011's since 7.x), the report of a spinning CPU appears only at the panic.
``printk.time=1``: the stamp distinguishes the kernel's lines from a program's, even without
CONFIG_PRINTK_TIME (harness/base/kreport/printk.py)."""

PRINTS_LATE = "PREEMPT_RT"
"""The option of a kernel that prints its report of a panic after pvpanic has told it
(kernel/panic.c:panic(), 6.12: the notifiers, then console_flush_on_panic()). QEMU lets it go on, to
the reset that follows."""

AGENT_SLOT, PANIC_SLOT = 0x1E, 0x1F
"""Device numbers on pcie.0; root ports take 1, 2, ... as devicetree overlays expect."""

# names of the files in a guest's run directory
BLOB = "machine.dtb"
CONSOLE_SOCKET, AGENT_SOCKET, QTEST_SOCKET = "console.sock", "agent.sock", "qtest.sock"
MONITOR_SOCKET = "monitor.sock"
PERSON_SOCKET = "qmp.sock"
FENCE_LOG = "fence.log"

SMMU_EVENTS = "smmuv3_*_event"
"""The trace event with the device and time of an access that an SMMU refused: its name is
smmuv3_record_event, in 11.1 smmuv3_propagate_event."""


COUNTED = ("-icount", "shift=0,sleep=off")
"""The PMU has the event INST_RETIRED only with icount (QEMU, target/arm/helper.c,
instructions_supported())."""

_SERIAL = (CONSOLE_SOCKET, AGENT_SOCKET)

KERNEL_SMMU = ",iommu=smmuv3"
"""The board's option for an SMMUv3 between the PCI bus and memory."""


@dataclass(frozen=True)
class RecordedRun:
    """A run that QEMU records in the file *log*, or plays from it (*played*).

    *disk* is a qcow2 file in which QEMU keeps states of the machine, the first under the name
    :data:`FIRST_STATE` (QEMU, docs/devel/replay.rst; docs/system/replay.rst, 7.2).
    """

    log: Path
    disk: Path
    played: bool = False

    @property
    def arguments(self) -> tuple[str, ...]:
        """QEMU's options."""
        mode = "replay" if self.played else "record"
        rule = f"shift=1,rr={mode},rrfile={self.log},rrsnapshot={FIRST_STATE}"
        return "-icount", rule, "-drive", f"file={self.disk},if=none,id=states,format=qcow2"


FIRST_STATE = "begin"


def board_arguments(cpus: int, ram_size: int, board: str = "", cpu: Cpu = PLAIN) -> tuple[str, ...]:
    """The arguments that determine QEMU's devicetree; *board*: more options of the board.

    The devicetree is that of a plain *cpu* whatever the kernel needs: Linux asks the CPU itself.
    """
    return (
        *("-machine", f"virt,gic-version=3{board}{cpu.board}"),
        *("-cpu", cpu.model),
        *("-smp", str(cpus)),
        *("-m", f"{ram_size // MIB}M"),
    )


@dataclass(frozen=True)
class Machine:
    """One virtual machine.

    *ram_size* in bytes, *ports* the number of empty PCIe root ports for hot-plug, *virtio* the
    virtio devices present at boot, *iommu*: whether PCI devices are behind an SMMUv3 that the
    kernel drives, *fence*: what confines devices, *share_all*: whether devices in
    another process are handed all of RAM, so that no memory split confines a vhost-user backend,
    *counted*: whether its PMU counts instructions; its CPUs then take turns, and each instruction
    takes a nanosecond of its time. *recorded*: QEMU records what happens, or plays it.
    """

    qemu: Qemu
    kernel: Kernel
    initramfs: Initramfs
    devicetree: Devicetree
    ram_size: int = DEFAULT_RAM
    cpus: int = 1
    ports: int = 2
    append: str = ""
    virtio: tuple[VirtioDevice, ...] = ()
    iommu: bool = False
    fence: Fence | None = None
    share_all: bool = False
    counted: bool = False
    recorded: RecordedRun | None = None

    @property
    def blocks(self) -> tuple[RamBlock, ...]:
        """The blocks of its RAM: pools, or the windows of a fence, are handed to all devices."""
        if self.share_all:
            return (RamBlock(RAM_BASE, self.ram_size, handed_over=True),)
        shared = self.fence.windows if self.fence else self.devicetree.pools
        return cut(self.ram_size, shared, self.kernel.page_size)

    @property
    def board(self) -> str:
        """Options of the board beyond those that every machine has."""
        smmu = KERNEL_SMMU if self.iommu else ""
        return smmu + (self.fence.board if self.fence else "")

    @property
    def cpu(self) -> Cpu:
        """What each of its CPUs is."""
        return cpu_for(self.kernel, self.qemu)

    @property
    def geometry(self) -> Geometry:
        """The sizes that its kernel was built with."""
        return self.initramfs.geometry

    @property
    def firmware(self) -> Firmware | None:
        """The firmware that starts the kernel instead of QEMU, if any."""
        return self.fence.firmware if self.fence else None

    @property
    def kernel_arguments(self) -> str:
        """The kernel's command line."""
        return f"{KERNEL_ARGUMENTS} {self.append}".strip()

    @property
    def blob(self) -> bytes:
        """The devicetree for QEMU, which completes it, or for the firmware, completed here."""
        firmware = self.firmware
        if firmware is None:
            return self.devicetree.blob
        initrd = AddressRange(firmware.initrd, self.initramfs.path.stat().st_size)
        return complete(self.devicetree.blob, self.kernel_arguments, initrd, firmware.hidden)

    @property
    def key(self) -> str:
        """Hash of all inputs: QEMU, kernel, guest programs, devicetree, fence, arguments."""
        arguments = shlex.join(self.command(Path("RUN")))
        fence = self.fence.key if self.fence else ""
        return digest(
            *(self.qemu.key, self.kernel.key, self.initramfs.key),
            *(self.blob, arguments, fence),
        )

    def command(self, run: Path, restored: bool = False, own_ram: bool = False) -> list[str]:
        """The QEMU command line with all sockets and files in directory *run*.

        QEMU starts stopped. It connects to ``monitor.sock`` as a client, so the caller listens
        there first, and serves the other sockets. A guest that will be *restored* has its kernel
        in RAM, so QEMU need not read it, which takes a quarter of its start. With *own_ram*, QEMU
        makes its RAM itself and shares it with nobody; else it opens :meth:`memory_files`.
        """
        return [
            str(self.qemu.path),
            *("-nodefaults", "-no-user-config", "-display", "none", "-S", "-no-reboot"),
            *("-action", f"panic={self._panic_action},reboot=shutdown,shutdown=pause"),
            *("-accel", accelerator()),
            *(COUNTED if self.counted else ()),
            *(self.recorded.arguments if self.recorded else ()),
            *board_arguments(self.cpus, self.ram_size, self.board, self.cpu),
            *self._memory(None if own_ram else run),
            *([] if restored else self._payload(run)),
            *self._serial_lines(run),
            *("-device", f"pvpanic-pci,addr={PANIC_SLOT:#x}"),
            *("-device", "vmcoreinfo"),
            *self._ports(),
            *self._virtio(run),
            *self._flash(run),
            *("-qtest", f"unix:{run / QTEST_SOCKET},server=on,wait=off", "-qtest-log", "none"),
            *("-d", self._log_items, "-D", str(run / FENCE_LOG)),
            *(("-msg", "timestamp=on", "-trace", SMMU_EVENTS) if self.board else ()),
            *_socket("person", run / PERSON_SOCKET),
            *("-qmp", "chardev:person"),
            *("-chardev", f"socket,id=monitor,path={run / MONITOR_SOCKET}"),
            *("-qmp", "chardev:monitor"),
        ]

    def flash_file(self, run: Path, bank: int) -> Path:
        """The file in *run* with the content of a flash bank."""
        return run / f"flash-{bank}"

    def memory_files(self, run: Path) -> tuple[Path, ...]:
        """The path in *run* by which QEMU opens each block of RAM."""
        return tuple(run / f"ram-{block.base:x}" for block in self.blocks)

    @property
    def _panic_action(self) -> str:
        return "none" if is_set(self.kernel, PRINTS_LATE) else "pause"

    @property
    def _log_items(self) -> str:
        """What QEMU logs: errors of the guest, and accesses to nothing, with their direction."""
        if LOGS_INVALID_MEMORY in self.qemu.capabilities.features:
            return "guest_errors,invalid_mem"
        return "guest_errors"

    def _payload(self, run: Path) -> list[str]:
        """Kernel, initial RAM disk and devicetree: for QEMU to start, or firmware to find."""
        image, initrd, blob = str(self.kernel.image), str(self.initramfs.path), str(run / BLOB)
        firmware = self.firmware
        if firmware is None:
            arguments = self.kernel_arguments
            return ["-kernel", image, "-initrd", initrd, "-append", arguments, "-dtb", blob]
        return [
            *_loaded(image, firmware.kernel),
            *_loaded(initrd, firmware.initrd),
            *_loaded(blob, firmware.devicetree),
        ]

    def _memory(self, run: Path | None) -> list[str]:
        """The blocks of RAM, as files in *run*, or without it in memory of QEMU alone."""
        files = self.memory_files(run) if run is not None else ()
        words: list[str] = []
        for number, block in enumerate(self.blocks):
            kind, place = ("file", f",mem-path={files[number]}") if files else ("memfd", "")
            backend = f"memory-backend-{kind},id=ram{number},size={block.size}"
            words += ["-object", f"{backend}{place},share=on"]
            cpus = f",cpus=0-{self.cpus - 1}" if number == 0 else ""
            words += ["-numa", f"node,nodeid={number}{cpus},memdev=ram{number}"]
        return words

    def _flash(self, run: Path) -> list[str]:
        words: list[str] = []
        for bank, _ in self.fence.flash if self.fence else ():
            drive = f"if=pflash,unit={bank},format=raw,readonly=on"
            words += ["-drive", f"{drive},file={self.flash_file(run, bank)}"]
        return words

    def _serial_lines(self, run: Path) -> list[str]:
        """Console and agent.

        QEMU records the input of those character devices only that are declared where they are
        used (QEMU, chardev/char.c:qemu_chr_new_permit_mux_mon, 7.2): the board's second such
        option, whose device it has not, stands in for a second serial line.
        """
        agent = f"addr={AGENT_SLOT:#x}"
        if self.recorded:
            console, other = (f"unix:{run / name},server=on,wait=off" for name in _SERIAL)
            lines = ["-serial", console, "-parallel", other]
            return [*lines, "-device", f"pci-serial,chardev=parallel0,{agent}"]
        return [
            *_socket("console", run / CONSOLE_SOCKET),
            *("-serial", "chardev:console"),
            *_socket("agent", run / AGENT_SOCKET),
            *("-device", f"pci-serial,chardev=agent,{agent}"),
        ]

    def _ports(self) -> list[str]:
        words: list[str] = []
        for number in range(self.ports):
            slot = number + 1
            port = f"id=rp{number},bus=pcie.0,addr={slot:02x}.0,chassis={slot},slot={slot}"
            words += ["-device", f"pcie-root-port,{port}"]
        return words

    def _virtio(self, run: Path) -> list[str]:
        words = list(MODERN) if self.virtio else []
        for device in self.virtio:
            words += device.arguments(run / BLOB)
        return words


def _loaded(file: str, address: int) -> tuple[str, str]:
    """Arguments that make QEMU load a file into RAM at every reset."""
    return "-device", f"loader,file={file},addr={address:#x},force-raw=on"


def _socket(name: str, path: Path) -> tuple[str, str]:
    return "-chardev", f"socket,id={name},path={path},server=on,wait=off"
