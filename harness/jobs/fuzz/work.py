# SPDX-License-Identifier: Apache-2.0
"""The work of a case's steps: what the guest, or the device, does in each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.jobs.fuzz.case import Kind

PAGE = 4096
DISK_PAGES = 64

FILL = 0x5A
"""Every byte of a correct device's answer."""

SERIAL = b"rogue"

READ = "/tmp/read"
"""The file for data that the guest read: only the device's bytes and zeros."""

DISK, ENTROPY = "/dev/vda", "/dev/hwrng"


@dataclass(frozen=True)
class FuzzWork:
    """A shell *command* of the guest's, made from the step's value and the device's address.

    The device's bytes are in ``/tmp/read`` afterwards if it *reads*. Without a command it is the
    device that does something (harness/jobs/fuzz/run.py).
    """

    command: Callable[[int, str], str] | None = None
    reads: bool = False


def _entropy(value: int, _: str) -> str:
    return f"dd if={ENTROPY} bs={64 * (value % 16 + 1)} count=1 iflag=fullblock of={READ}"


def _two_entropy(value: int, bdf: str) -> str:
    return f"dd if={ENTROPY} bs=512 count=1 of=/dev/null & {_entropy(value, bdf)}; wait"


def _disk(count: int) -> Callable[[int, str], str]:
    """Bypass the page cache, so that no stale page of the kernel is read."""

    def command(value: int, _: str) -> str:
        size, skip = count * PAGE, value % (DISK_PAGES // count)
        return f"[ -b {DISK} ] && dd if={DISK} bs={size} count=1 skip={skip} iflag=direct of={READ}"

    return command


def _two_disk(value: int, bdf: str) -> str:
    return f"({_cached(value + 1, bdf)}) & {_disk(1)(value, bdf)}; wait"


def _many(value: int, bdf: str) -> str:
    """Four readers at once, whose requests overlap if the device takes its time."""
    others = f"dd if={DISK} bs={PAGE} count=1 skip=$n iflag=direct of=/dev/null"
    return f"[ -b {DISK} ] && for n in 1 2 3; do {others} & done; {_disk(1)(value, bdf)}; wait"


def _cached(value: int, _: str) -> str:
    return (
        f"echo 1 > /proc/sys/vm/drop_caches; [ -b {DISK} ] && "
        f"dd if={DISK} bs={PAGE} count=4 skip={value % (DISK_PAGES - 4)} of=/dev/null"
    )


def _written(value: int, _: str) -> str:
    skip = value % DISK_PAGES
    return f"[ -b {DISK} ] && dd if=/dev/zero of={DISK} bs={PAGE} count=1 seek={skip} conv=fsync"


def _serial(_: int, __: str) -> str:
    return f"cat /sys/block/vda/serial > {READ}"


def rebound(_: int, bdf: str) -> str:
    """Take the device from its driver and give it back."""
    return f"cd /sys/bus/pci/drivers/virtio-pci && echo {bdf} > unbind && echo {bdf} > bind"


def probed(bdf: str) -> str:
    """Wait for the end of the device's probe: bind takes the lock that a probe holds."""
    return f"echo {bdf} > /sys/bus/pci/drivers/virtio-pci/bind; :"


def unbound(bdf: str) -> str:
    """Take the device from its driver."""
    return f"echo {bdf} > /sys/bus/pci/drivers/virtio-pci/unbind"


PLUG, RELEASE, RECONNECT, CAPACITY = "plug", "release", "reconnect", "capacity"

_BOTH: Mapping[str, FuzzWork] = {
    PLUG: FuzzWork(),
    RELEASE: FuzzWork(),
    RECONNECT: FuzzWork(),
    "rebind": FuzzWork(rebound),
}

WORK: Mapping[Kind, Mapping[str, FuzzWork]] = MappingProxyType(
    {
        "rng": {
            **_BOTH,
            "read": FuzzWork(_entropy, reads=True),
            "pair": FuzzWork(_two_entropy, reads=True),
        },
        "blk": {
            **_BOTH,
            "read": FuzzWork(_disk(1), reads=True),
            "long": FuzzWork(_disk(16), reads=True),
            "pair": FuzzWork(_two_disk, reads=True),
            "many": FuzzWork(_many, reads=True),
            "cached": FuzzWork(_cached),
            "write": FuzzWork(_written),
            "serial": FuzzWork(_serial, reads=True),
            CAPACITY: FuzzWork(),
        },
    }
)
"""By kind of device. ``plug`` is the first step of every case, and only that."""
