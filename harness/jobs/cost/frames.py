# SPDX-License-Identifier: Apache-2.0
"""What the kernel spends on a network frame in and one out, end to end.

The guest is pinged, and its kernel answers by itself. From one moment at which it has nothing left
to do to the next it takes the interrupt, ends the frame's mapping, makes the answer, maps it for
the card, and takes the interrupt that ends that.
"""

from collections.abc import Iterator
from functools import partial

from harness.base.errors import ConfigError
from harness.base.space import KIB
from harness.devices.drivers import Cable, Driver, NetworkWork, built_in, connect, wait_usable
from harness.devices.shell import shell
from harness.jobs.cost.cost import Cost
from harness.jobs.cost.counted_guest import CountedGuest, Spent, median_spent
from harness.kernel import Kernel
from harness.machine.machine import Machine
from harness.observe.memory import KnownTypes
from harness.observe.quiet import Quiet

FRAME = KIB
"""Bytes of a frame with its headers."""

FRAMES, SKIPPED = 200, 4
"""Frames that are counted, and frames before them, after which caches of the kernel are full."""


def network_driver(kernel: Kernel) -> Driver:
    """The driver of a network card that *kernel* has; raises ConfigError if it has none."""
    for one in built_in(kernel):
        if one.work is NetworkWork:
            return one
    raise ConfigError("the kernel has no driver of a network card; --flavour=drivers has two")


def network_frames(machine: Machine, kind: str, known: KnownTypes) -> Cost:
    """The cost of a frame in and one out on *machine*.

    Raises NoDebugInformation for a kernel without types, ConfigError for one without a driver of a
    network card.
    """
    driver = network_driver(machine.kernel)
    with CountedGuest(machine, copies=True) as counted:
        guest = counted.guest
        cable = Cable(guest.directory)
        guest.at_close(cable.close)
        guest.monitor.execute("netdev_add", {**cable.netdev, "id": "cable"})
        connect(guest, driver, {"netdev": "cable"})
        node = f"/sys/class/net/{driver.node}"
        wait_usable(guest, f"[ -e {node} ]")
        card = shell(
            guest, f"card=$(basename {node}) && {cable.set_up} && cat /sys/class/net/$card/address"
        )
        quiet = counted.quiet(known)
        frames = list(_frames(counted, quiet, cable, card.strip()))
    return median_spent(f"a frame in and one out ({driver.name})", FRAME, kind, frames[SKIPPED:])


def _frames(counted: CountedGuest, quiet: Quiet, cable: Cable, card: str) -> Iterator[Spent]:
    """What the kernel spends on each ping, until it has answered and has nothing left to do."""

    def ping(number: int) -> None:
        cable.ping(card, FRAME)
        what = f"the answer to ping {number}"
        counted.wait_quiet(quiet, lambda: cable.answers, number, what)

    for number in range(1, FRAMES + SKIPPED + 1):
        yield counted.during(partial(ping, number))
