# SPDX-License-Identifier: Apache-2.0
"""A rogue device by hand, the attacks of the matrix, the fence, and fuzzing."""

from pathlib import Path

from harness.base.errors import InputError
from harness.devices.attacks import Protection, attacks
from harness.devices.attacks.context import Context
from harness.devices.rogue import rogue_kinds
from harness.jobs.fuzz import load_case, run_case
from harness.machine.environment import Environment
from harness.machine.machine import Machine
from harness.observe.memory import LiveMemory
from harness.observe.memory.names import unknown
from harness.shell.answer import Answer, Hex, table
from harness.shell.command import Argument, Command, Needs, WrongForm
from harness.shell.rogue_control import RogueControl
from harness.shell.target import Target
from harness.shell.terminal import interrupts_ignored

REFUSALS = 20
"""Most accesses that ``fence`` lists: the last."""


def control_of(target: Target) -> RogueControl:
    """The target's rogues."""
    return target.part(RogueControl, lambda: RogueControl(target))


def drive_rogue(target: Target, words: list[str]) -> Answer:
    """Plug a rogue, and make it read and write."""
    with interrupts_ignored():  # an interrupted register sequence would break the next one
        text = control_of(target).drive(words)
    if text is None:
        raise WrongForm
    return Answer(text)


def run_attack(target: Target, words: list[str]) -> Answer:
    """Carry out an attack of the matrix on this machine, or list the attacks."""
    match words:
        case []:
            return table({"attack": name, "does": one.does} for name, one in attacks().items())
        case [name] if name in attacks():
            kind = attacks()[name].rogues[0]
        case [name, kind] if name in attacks():
            pass
        case [name, *_]:
            raise unknown("attack", name, attacks())
    attack, machine = attacks()[name], target.guest.machine
    protection = _protection(machine)
    if kind not in attack.rogues:
        raise InputError(f"{kind} cannot do that: expected one of {', '.join(attack.rogues)}")
    if protection not in attack.expected:
        there = ", ".join(one.value for one in attack.expected)
        raise InputError(
            f"{name} does not apply to a machine protected by {protection.value}, only by {there}"
        )
    if protection.pool and attack.shape not in machine.devicetree.overlays:
        raise InputError(
            f"this machine lacks what {name} is about: 'harness shell --shape={attack.shape}' "
            "starts one"
        )
    memory = target.memory
    assert isinstance(memory, LiveMemory), "a guest's"
    rogue = control_of(target).plug(0, kind)
    seen = attack.run(Context(target.guest, rogue, memory, target.known_types, target.probe))
    effect, expected = seen.effect.value, attack.expected[protection].value
    return Answer(
        f"{effect} (expected: {expected}): {seen.detail}",
        {"effect": effect, "expected": expected, "detail": seen.detail},
    )


def _protection(machine: Machine) -> Protection:
    """What protects memory on a machine."""
    if machine.iommu:
        return Protection.IOMMU
    pool, fence = bool(machine.devicetree.pools), machine.fence is not None
    if pool and fence:
        return Protection.BOTH
    if pool:
        return Protection.POOL
    return Protection.FENCE if fence else Protection.NOTHING


def show_fence(target: Target, words: list[str]) -> Answer:
    """The fence of this machine: what it allows, whether it is intact, what it refused."""
    if words:
        raise WrongForm
    fence = target.guest.machine.fence
    if fence is None:
        return Answer("this machine has no fence: 'harness shell --fence=smmu' starts one", {})
    damage = target.guest.fence_damage()
    refused = target.guest.fence_refusals()
    windows = ", ".join(map(str, fence.windows))
    lines = [
        f"fence {fence.name}: devices may access {windows or 'nothing'}",
        f"damage: {'; '.join(damage) or 'none'}",
        f"refused accesses: {len(refused)}",
        *(f"  {one}" for one in refused[-REFUSALS:]),
    ]
    rows = [
        {"device": one.device, "address": Hex(one.address), "access": one.access} for one in refused
    ]
    return Answer("\n".join(lines), {"name": fence.name, "damage": damage, "refused": rows})


def fuzz(target: Target, words: list[str]) -> Answer:
    """Run a case of the fuzzer again, in a guest of its own with this kernel."""
    match words:
        case ["replay", name]:
            case = load_case(Path(name).expanduser())
        case _:
            raise WrongForm
    machine = target.guest.machine
    record = run_case(Environment(machine.qemu, machine.kernel, machine.initramfs), case)
    if record.fault:
        raise InputError(f"the case could not be run: {record.fault}")
    lines = [*map(str, record.steps), *(f"found: {one}" for one in record.symptoms)]
    return Answer("\n".join(lines or ["nothing found"]))


COMMANDS = (
    Command(
        "rogue",
        "Drive a rogue device by DMA; BYTES are hexadecimal, an MSI writes 16 bits at once. "
        f"KIND is one of {', '.join(rogue_kinds())}.",
        (
            "plug [PORT [KIND]]",
            "unplug",
            "read ADDRESS SIZE",
            "write ADDRESS BYTES",
            "msi ADDRESS VALUE",
            "master on|off",
        ),
        drive_rogue,
        ("rogue plug 0 edu", "rogue read linux_banner 32", "rogue write pool:slot0 c0ffee"),
        needs=Needs.RUNNING,
        arguments=(
            ("plug", "unplug", "read", "write", "msi", "master"),
            Argument.ADDRESS,
            tuple(rogue_kinds()),
        ),
    ),
    Command(
        "attack",
        "Carry out an attack of the matrix with a rogue in port 0; without words, list them.",
        ("", "NAME [KIND]"),
        run_attack,
        ("attack", "attack patch-data edu"),
        needs=Needs.RUNNING,
        arguments=(tuple(attacks()), tuple(rogue_kinds())),
    ),
    Command(
        "fence",
        "Show the fence of this machine: what it allows, its damage, what it refused.",
        ("",),
        show_fence,
        ("fence",),
        needs=Needs.QEMU,
    ),
    Command(
        "fuzz",
        "Run a case of 'harness fuzz' again, in another guest with this kernel.",
        ("replay FILE",),
        fuzz,
        ("fuzz replay ~/case.json",),
        needs=Needs.NOTHING,
        arguments=(("replay",), Argument.FILE),
    ),
)
