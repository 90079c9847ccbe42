# SPDX-License-Identifier: Apache-2.0
"""Run cells of the attack matrix, several at a time, each in a guest of its own."""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import as_completed

from harness.base.cpus import guests_at_once
from harness.base.errors import GuestError, HarnessError, QemuError, explain
from harness.base.processes import processes
from harness.devices.attacks.attack import Observation
from harness.devices.attacks.context import Context
from harness.devices.attacks.machines import PCI_FENCE, machine_for
from harness.devices.attacks.matrix import Cell, MeasuredCell
from harness.devices.attacks.registry import attacks
from harness.devices.probe import Probe
from harness.devices.rogue import rogue_kinds
from harness.machine.environment import Environment
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.runroot import keep_run_root
from harness.machine.qemu.snapshot import park, restore
from harness.observe.memory import KnownTypes, live_memory

_types = KnownTypes()
"""A worker keeps them for all its cells."""


def run_cells(
    environment: Environment, wanted: Iterable[Cell], pci_fence: str = PCI_FENCE
) -> Iterator[MeasuredCell]:
    """Yield the result of each cell as soon as it is known.

    Raises as :func:`park` when a machine does not boot.
    """
    todo = list(wanted)
    for machine in dict.fromkeys(machine_for(environment, cell, pci_fence) for cell in todo):
        park(machine)
    keep_run_root(guests_at_once())
    with processes(guests_at_once()) as pool:
        running = [pool.submit(run_cell, environment, cell, pci_fence) for cell in todo]
        for done in as_completed(running):
            yield done.result()


def run_cell(environment: Environment, cell: Cell, pci_fence: str = PCI_FENCE) -> MeasuredCell:
    """Run one attack; *detail* has a failure of the harness."""
    begin = time.monotonic()
    try:
        return measure_cell(environment, cell, pci_fence)
    except (GuestError, HarnessError, AssertionError) as fault:
        return MeasuredCell(cell, None, explain(fault), 0, time.monotonic() - begin)


def measure_cell(environment: Environment, cell: Cell, pci_fence: str = PCI_FENCE) -> MeasuredCell:
    """Run one attack; raises HarnessError, or the guest's ending, if there is no effect to tell."""
    begin = time.monotonic()
    with restore(park(machine_for(environment, cell, pci_fence))) as guest:
        result, refused = _attack(guest, cell)
    return MeasuredCell(cell, result.effect, result.detail, refused, time.monotonic() - begin)


def _attack(guest: Guest, cell: Cell) -> tuple[Observation, int]:
    _require_fence(guest, "before the attack")
    rogue = rogue_kinds()[cell.rogue].plug(guest, 0)
    with live_memory(guest) as memory:
        attack = attacks()[cell.attack]
        result = attack.run(Context(guest, rogue, memory, _types, Probe(guest.agent)))
    if not attack.on_fence:
        _require_fence(guest, "after the attack")
    return result, len(guest.fence_refusals())


def _require_fence(guest: Guest, when: str) -> None:
    damage = guest.fence_damage()
    if damage:
        raise QemuError(f"{when} the fence is damaged: {'; '.join(damage)}")
