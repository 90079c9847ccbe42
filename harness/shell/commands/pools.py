# SPDX-License-Identifier: Apache-2.0
"""Pools, their slots, the devices that bounce, and what drivers hold."""

import drgn
from drgn.helpers.linux.device import dev_name

from harness.base.errors import AddressError, GuestError
from harness.devices.probe import Held, Space
from harness.observe.memory import (
    DEFAULT_POOL,
    KernelTypes,
    PoolState,
    Slot,
    attachments,
    slot_runs,
    slots,
    slots_in_use,
)
from harness.observe.memory.kernel import kernel_reading
from harness.observe.memory.names import pool_named, pool_names, pools_in_order
from harness.shell.answer import Answer, Hex, table
from harness.shell.command import Argument, Command, Needs, WrongForm
from harness.shell.target import Target

ALL = "all"

SOON = 2.0
"""Seconds of the guest's own time in which its agent must answer to be asked for holders."""


def list_pools(target: Target, words: list[str]) -> Answer:
    """Every pool that the kernel has set up; if it has none yet, those of the devicetree."""
    if words:
        raise WrongForm
    try:
        types = target.types
        named = dict(zip(pool_names(types), pools_in_order(types), strict=True))
        users = _users(types)
    except AddressError:
        if target.is_dump:
            raise
        return _described(target)
    return table(_pool_row(short, pool, users) for short, pool in named.items())


def _pool_row(short: str, pool: PoolState, users: dict[str, list[str]]) -> dict[str, object]:
    return {
        "pool": short,
        "name": pool.name,
        "base": Hex(pool.base),
        "end": Hex(pool.end),
        "slots": pool.nslabs,
        "used": pool.used,
        "most used": pool.hiwater,
        "areas": pool.nareas,
        "devices": users.get(pool.name, []),
    }


def _users(types: KernelTypes) -> dict[str, list[str]]:
    """The names of the devices that the kernel has attached to each pool."""
    users: dict[str, list[str]] = {}
    with kernel_reading("the devices of the pools"):
        names = {device.value_(): dev_name(device).decode() for device in types.devices()}
    for one in attachments(types):
        users.setdefault(one.region, []).append(names.get(one.device, f"{one.device:#x}"))
    return users


def _described(target: Target) -> Answer:
    """The pools of the devicetree, of a machine whose kernel has set up none yet."""
    tree = target.guest.machine.devicetree
    rows = [
        {"name": pool.name, "base": Hex(pool.base), "end": Hex(pool.end), "users": list(pool.users)}
        for pool in tree.pools
    ]
    dynamic = [
        {"name": one.name, "base": None, "end": None, "users": list(one.users)}
        for one in tree.dynamic
    ]
    return table([*rows, *dynamic])


def list_slots(target: Target, words: list[str]) -> Answer:
    """The slots of a pool that are in use, a row for each mapping; with "all", each slot."""
    every = ALL in words
    match [word for word in words if word != ALL]:
        case []:
            name = "pool"
        case [one]:
            name = one
        case _:
            raise WrongForm
    pool = pool_named(target.types, name)
    found = slots(target.types, pool) if every else slots_in_use(target.types, pool)
    owners = Owners(target)
    runs = ((slot,) for slot in found) if every else slot_runs(found)
    return table((_slot_row(run, owners) for run in runs), empty=f"no slot of {pool.name} is used")


def _slot_row(run: tuple[Slot, ...], owners: "Owners") -> dict[str, object]:
    first = run[0]
    return {
        "slot": first.index if len(run) == 1 else f"{first.index}-{run[-1].index}",
        "address": Hex(first.phys),
        "size": first.alloc_size if first.in_use else None,
        "buffer": None if first.orig_addr is None else Hex(first.orig_addr),
        "holder": owners.holder(first.phys) if first.in_use else "free",
        "since": owners.since(first.phys) if first.in_use else None,
    }


class Owners:
    """Says who holds the slots of a running guest."""

    def __init__(self, target: Target) -> None:
        self._held: tuple[Held, ...] = ()
        self._devices: dict[int, str] = {}
        self._calls: tuple[str, ...] = ()
        self._unknown = "unknown"
        if not target.is_dump:
            self._calls = tuple(target.guest.agent.journal)
        if target.is_running() and not target.guest.machine.recorded:
            self._ask(target)

    def _ask(self, target: Target) -> None:
        """Ask the probe, unless its agent is busy or hangs: what memory says is told anyway."""
        try:
            target.guest.agent.hello(SOON)
        except GuestError:
            self._unknown = "unknown: the agent does not answer"
        else:
            self._held = tuple(one for one in target.probe.held() if one.space is not Space.BUFFER)
            self._devices = {one.id: one.name for one in target.probe.devices()}

    def holder(self, phys: int) -> str:
        """The probe's device and handle; another driver is told by the devices of the pool."""
        for one in self._held:
            if one.phys <= phys < one.phys + one.size:
                name = one.space.name.lower()
                device = self._devices.get(one.device, f"device {one.device}")
                return f"{device} {name}:{one.handle}" + (" (leaked)" if one.leaked else "")
        return "another driver" if self._held or self._devices else self._unknown

    def since(self, phys: int) -> str | None:
        """The last call of this session that returned *phys*."""
        calls = (call for call in reversed(self._calls) if call.endswith(f"= {phys:#x}"))
        return next(calls, None)


def list_devices(target: Target, words: list[str]) -> Answer:
    """Every PCI and platform device that may do DMA, with its pool and limits."""
    if words:
        raise WrongForm
    types = target.types
    pools = {pool.address: pool.name for pool in pools_in_order(types)}
    with kernel_reading("the devices"):
        rows = [
            {
                "device": dev_name(device).decode(),
                "pool": pools.get(device.dma_io_tlb_mem.value_(), "none"),
                "mask": Hex(device.dma_mask[0].value_()),
                "coherent mask": Hex(device.coherent_dma_mask.value_()),
                "min align": _min_align(device),
                "coherent": _is_coherent(device),
                "fence": _fence(target),
            }
            for device in types.devices()
            if device.dma_mask.value_()
        ]
    return table(sorted(rows, key=lambda row: row["pool"] in ("none", DEFAULT_POOL)))


def _min_align(device: drgn.Object) -> Hex | None:
    """``min_align_mask``; a device without parameters has none (include/linux/dma-mapping.h)."""
    parameters = device.dma_parms
    return Hex(parameters.min_align_mask.value_()) if parameters.value_() else None


def _is_coherent(device: drgn.Object) -> bool | None:
    """``dma_coherent``, a bit field that only some architectures have."""
    try:
        return bool(device.dma_coherent)
    except AttributeError:
        return None


def _fence(target: Target) -> str | None:
    if target.is_dump:
        return None
    fence = target.guest.machine.fence
    return fence.name if fence else "none"


def list_mappings(target: Target, words: list[str]) -> Answer:
    """What the probe's driver holds: mappings and allocations, in every context."""
    if words:
        raise WrongForm
    owners = Owners(target)
    places = target.places
    return table(
        {
            "name": f"{one.space.name.lower()}:{one.handle}",
            "context": "leaked" if one.leaked else one.context,
            "address": Hex(one.phys),
            "size": one.size,
            "where": places.describe(one.phys),
            "since": owners.since(one.phys),
        }
        for one in target.probe.held()
        if one.space is not Space.BUFFER
    )


COMMANDS = (
    Command(
        "pools",
        "List the kernel's bounce pools: address, slots in use, devices.",
        ("",),
        list_pools,
        ("pools", "pools | grep restricted", "pools --json"),
    ),
    Command(
        "slots",
        "List who holds the slots of a pool, since which call, and the CPU's buffer behind them.",
        ("[POOL] [all]",),
        list_slots,
        ("slots", "slots pool1 all", "slots | wc -l"),
        arguments=(Argument.POOL,),
    ),
    Command(
        "devices",
        "List the devices that may do DMA: pool, masks, alignment, coherence, fence.",
        ("",),
        list_devices,
        ("devices",),
    ),
    Command(
        "mappings",
        "List the mappings and allocations that the probe holds ('python' makes some).",
        ("",),
        list_mappings,
        ("mappings",),
        needs=Needs.RUNNING,
    ),
)
