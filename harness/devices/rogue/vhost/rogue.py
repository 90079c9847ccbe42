# SPDX-License-Identifier: Apache-2.0
"""A vhost-user device as a rogue: QEMU hands it guest memory, and Linux's own driver its requests.

Its fence is the cut of RAM into blocks (harness/machine/layout.py). QEMU hands over every block
(hw/virtio/vhost-user.c:vhost_user_fill_set_mem_table_msg); the backend maps the shared ones and
closes the files of the others before the device sees them, as a hypervisor between them would. An
IOMMU does not confine it: the device has the files themselves.
"""

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from harness.base.address_range import AddressRange
from harness.base.errors import QemuError
from harness.devices.rogue.journal import note
from harness.devices.rogue.root_port import PLUG_TIMEOUT, RootPort
from harness.devices.rogue.vhost.backend import Backend
from harness.devices.rogue.vhost.devices import Disk, Entropy, Network, VhostDevice
from harness.devices.rogue.vhost.mutations import ConfigMutation, Mutation
from harness.devices.rogue.vhost.ring import Request
from harness.machine.fence import Refusal
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.loop import call

T = TypeVar("T")

Kind = Literal["rng", "blk", "net"]

DISK_SIZE = 1 << 20

DEVICES: dict[Kind, Callable[[], VhostDevice]] = {
    "rng": Entropy,
    "blk": lambda: Disk(bytes(DISK_SIZE)),
    "net": Network,
}
"""The device of each kind by default."""

OPEN_TIMEOUT = 5.0
"""Seconds for QEMU to take a connection; it is there when QEMU looks next."""


class VhostRogue:
    """A vhost-user device in an empty root port of a running guest.

    *kind* is rng, blk or net, or a device that knows more, such as a disk with content.
    *on_request* mutates answers from the first request on; then nothing waits until the driver is
    bound, as it may never be. Without a *driver* in the guest the device is only enumerated.
    """

    def __init__(
        self,
        guest: Guest,
        kind: Kind | VhostDevice,
        port: int = 0,
        *,
        on_request: Mutation | None = None,
        on_config: ConfigMutation | None = None,
        driver: bool = True,
    ) -> None:
        """Plug it in. Raises the guest's ending, or GuestHang when no driver uses the device."""
        self._guest, self._port = guest, port
        self.name = f"rogue{port}"
        self._slot = RootPort(guest, port)
        self.bdf = self._slot.bdf
        self.device = DEVICES[kind]() if isinstance(kind, str) else kind
        allowed = [block for block in guest.machine.blocks if block.handed_over]
        self._backend = Backend(self.device, self.name, guest.watch.notify, allowed)
        self._backend.on_request, self._backend.on_config = on_request, on_config
        self._path = guest.directory / f"vhost-{self.name}"
        guest.at_close(lambda: call(self._backend.close))
        guest.confined.append(self)
        mark = guest.console.mark
        self._plug()
        if not driver:
            guest.console.wait_for(rf"{self.bdf}: enabling device", PLUG_TIMEOUT, since=mark)
            self._wait_probed()
            return
        self.wait_used()
        if on_request is None:
            self.wait_bound()

    @property
    def on_request(self) -> Mutation | None:
        """Called, on the event loop's thread, with every request and its honest answer."""
        return self._backend.on_request

    @on_request.setter
    def on_request(self, mutation: Mutation | None) -> None:
        self._do(lambda: setattr(self._backend, "on_request", mutation))

    @property
    def requests(self) -> tuple[Request, ...]:
        """Every request so far, with the buffers that the driver handed over."""
        self._raise()
        return tuple(self._backend.requests)

    @property
    def held(self) -> tuple[Request, ...]:
        """Requests that were not completed."""
        self._raise()
        return tuple(one.request for one in self._backend.held)

    @property
    def connected(self) -> bool:
        """Whether QEMU is at the other end."""
        self._raise()
        return self._backend.connected

    @property
    def reach(self) -> tuple[AddressRange, ...]:
        """The guest memory that it was handed, in ascending order."""
        self._raise()
        return self._backend.table.reach

    def read(self, address: int, size: int) -> bytes:
        """Read guest memory; zeros where it was handed none."""
        data, refused = self._try(lambda: self._backend.table.read(address, size))
        note(self._guest, self.name, "read", address, size, refused=refused)
        return data

    def write(self, address: int, data: bytes) -> None:
        """Write guest memory; what it was not handed does not change."""
        _, refused = self._try(lambda: self._backend.table.write(address, data))
        note(self._guest, self.name, "write", address, len(data), refused=refused, data=data)

    def refusals(self) -> Sequence[Refusal]:
        """Its accesses to memory that it was not handed, those of its rings and buffers too."""
        self._raise()
        return tuple(self._backend.table.refusals)

    def release(self, mutation: Mutation | None = None) -> None:
        """Answer what was held, honestly or with a *mutation*, which may hold some of it again."""
        self._do(lambda: self._backend.release(mutation))

    def change_config(self, mutation: ConfigMutation | None) -> None:
        """Change the configuration space, and notify the guest; None: the honest one again."""

        def change() -> None:
            self._backend.on_config = mutation
            self._backend.notify_config()

        self._do(change)

    def hang_up(self) -> None:
        """Close the connection, as a process that dies; the memory stays mapped."""
        self._do(self._backend.hang_up)

    def reconnect(self) -> None:
        """Come back after a :meth:`hang_up`; QEMU then starts the rings anew."""
        self._wait_chardev(open_=False)
        self._do(lambda: self._backend.connect(self._path))
        self._wait_chardev(open_=True)

    def wait_for(self, what: str, look: Callable[[], bool], timeout: float = PLUG_TIMEOUT) -> None:
        """Wait until *look* is true, looking again whenever a request has come or was answered.

        *look* may ask for what is known here, but not do anything: the event loop may be waiting
        for it. Raises the guest's ending, or GuestHang after *timeout* seconds.
        """

        def looked() -> bool | None:
            self._raise()
            return look() or None

        self._guest.watch.wait(
            what, looked, timeout, lambda: f"{len(self._backend.requests)} requests"
        )

    def wait_used(self) -> None:
        """Wait until the driver has made a request, or one was refused."""
        self.wait_for(
            f"the guest's driver to use {self.name}",
            lambda: bool(self.requests or self.refusals()),
        )

    def wait_bound(self) -> None:
        """Wait until the guest's driver is bound to the device and its probe is over."""
        self._wait_probed()
        path = f"/sys/bus/pci/devices/{self.bdf}"
        ran = self._guest.agent.run(f"ls -d {path}/virtio*/driver", PLUG_TIMEOUT)
        self._raise()
        if ran.status:
            raise QemuError(f"no driver of the guest's took {self.bdf}: {ran.text}")

    def detach(self) -> None:
        """Switch its slot off in the guest, wait until QEMU has let it go, and close everything."""
        self._slot.unplug(self.name)
        if self.device.kind == "net":  # which takes its character device along
            self._guest.monitor.execute("netdev_del", id=self._netdev)
        else:
            self._guest.monitor.execute("chardev-remove", id=self.name)
        call(self._backend.close)
        self._raise()

    def _wait_probed(self) -> None:
        """Wait until all probes are over.

        The kernel holds the PCI device's lock meanwhile; to bind that device again needs the same
        lock, and is then refused (drivers/base/dd.c:device_driver_attach).
        """
        bind = f"echo {self.bdf} > /sys/bus/pci/drivers/virtio-pci/bind"
        self._guest.agent.run(bind, PLUG_TIMEOUT)

    @property
    def _netdev(self) -> str:
        return f"{self.name}-net"

    def _plug(self) -> None:
        """Connect to QEMU, which listens, so that the harness decides when to reconnect."""
        address = {"type": "unix", "data": {"path": str(self._path)}}
        self._guest.monitor.execute(
            "chardev-add",
            id=self.name,
            backend={"type": "socket", "data": {"addr": address, "server": True, "wait": False}},
        )
        self._do(lambda: self._backend.connect(self._path))
        self._wait_chardev(open_=True)
        words: dict[str, object] = {"chardev": self.name}
        driver = f"vhost-user-{self.device.kind}-pci"
        if self.device.kind == "net":
            netdev = {"type": "vhost-user", "id": self._netdev, "chardev": self.name}
            self._guest.monitor.execute("netdev_add", netdev)
            driver = "virtio-net-pci"
            words = {"netdev": self._netdev, "disable-legacy": "on", "romfile": ""}
        elif self.device.kind == "blk":
            words["num-queues"] = self.device.queues
        place = {"driver": driver, "id": self.name, "bus": f"rp{self._port}"}
        self._guest.monitor.execute("device_add", {**place, "iommu_platform": True, **words})

    def _wait_chardev(self, open_: bool) -> None:
        """Wait until QEMU has seen that we came, or went: it sends no event of that."""
        patience = self._guest.watch.patience(OPEN_TIMEOUT)
        while self._chardev_open() is not open_:
            if patience.left() <= 0:
                word = "take" if open_ else "give up"
                raise QemuError(
                    f"QEMU did not {word} the connection of {self.name} in {OPEN_TIMEOUT:g} s"
                )

    def _chardev_open(self) -> bool:
        for known in self._guest.monitor.execute("query-chardev"):
            if known["label"] == self.name:
                return not str(known["filename"]).startswith("disconnected:")
        raise QemuError(f"QEMU has no character device {self.name}")

    def _try(self, access: Callable[[], T]) -> tuple[T, bool]:
        """The result of *access*, and whether part of it was refused."""
        table = self._backend.table

        def attempt() -> tuple[T, bool]:
            before = len(table.refusals)
            return access(), len(table.refusals) > before

        return self._do(attempt)

    def _do(self, function: Callable[[], T]) -> T:
        self._raise()
        return call(function)

    def _raise(self) -> None:
        if self._backend.faults:
            raise self._backend.faults.pop(0)
