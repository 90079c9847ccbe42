# SPDX-License-Identifier: Apache-2.0
"""Run one case in a new guest, with the memory oracles."""

import functools
import time
from dataclasses import dataclass, field, replace

from harness.base.errors import GuestError, GuestHang, HarnessError, InputError, explain
from harness.devices.oracles import NO_BASELINE, Baseline
from harness.devices.oracles.examiner import Examiner
from harness.devices.probe import Direction, Probe
from harness.devices.rogue.vhost import Disk, Entropy, VhostRogue, mutations
from harness.jobs.fuzz.case import FuzzCase, FuzzStep, Kind
from harness.jobs.fuzz.fields import CONFIG, FIELDS, config_mutation, mutation_for
from harness.jobs.fuzz.known import is_harmless
from harness.jobs.fuzz.record import Record, Symptom, shape_of
from harness.jobs.fuzz.symptoms import foreign_data, place_of_cpu
from harness.jobs.fuzz.work import (
    CAPACITY,
    DISK_PAGES,
    FILL,
    PAGE,
    PLUG,
    READ,
    RECONNECT,
    RELEASE,
    SERIAL,
    WORK,
    probed,
    rebound,
    unbound,
)
from harness.machine.environment import Environment
from harness.machine.machine import DEFAULT_RAM, Machine
from harness.machine.qemu.guest import Guest
from harness.machine.qemu.snapshot import Snapshot, park, restore
from harness.machine.shape import NO_POOL, shaped_devicetree

WORK_TIMEOUT = 1
"""Seconds for a piece of work, which takes 10 ms; after that it counts as stuck."""

RUN_TIMEOUT = 3.0
"""Seconds for the agent's shell, which waits WORK_TIMEOUT."""

ANSWER_TIMEOUT = 10.0
"""Seconds in which a living guest answers."""

KEPT_LINES = 40
"""Console lines that a record keeps."""

STUCK = "stuck"
WELL = ("0", "done")
"""Results of a step after which the device still works."""

BYSTANDER = "probe-a"
"""A device that shares the pool in most shapes, and holds a mapping during the case."""

_WAIT = f"read -t {WORK_TIMEOUT} how <&3 && echo $how"

_examiner = Examiner()
"""Of a worker: it reads types and layouts once."""


@functools.cache
def machine_for(environment: Environment, shape: str) -> Machine:
    """The machine for cases of a *shape*; without any pool the device reaches all of RAM."""
    devicetree = shaped_devicetree(environment.qemu, shape, ram_size=DEFAULT_RAM)
    return Machine(
        *(environment.qemu, environment.kernel, environment.initramfs, devicetree),
        share_all=shape == NO_POOL,
    )


def check(case: FuzzCase) -> None:
    """Raise InputError for a case that cannot be run."""
    places = [step.do for step in case.steps]
    if places[:1] != [PLUG] or PLUG in places[1:]:
        raise InputError(f"a case begins with the step '{PLUG}', and has just that one of it")
    for name, known in (
        *((do, WORK[case.kind]) for do in places),
        *((mutation.field, FIELDS) for mutation in case.mutations),
        *((setting.field, CONFIG[case.kind]) for setting in case.config),
    ):
        if name not in known:
            raise InputError(
                f"unknown '{name}' in a case of {case.kind}: expected one of {', '.join(known)}"
            )


def run_case(environment: Environment, case: FuzzCase) -> Record:
    """Run *case*; an error of the harness is the record's *fault*.

    Raises InputError for a case that cannot be run, and as :func:`park` when the machine does not
    even boot.
    """
    check(case)
    begin = time.monotonic()
    snapshot = park(machine_for(environment, case.shape))
    try:
        record = _run(snapshot, case)
    except (HarnessError, GuestError) as fault:
        record = Record((), (), frozenset(), (), explain(fault))
    return replace(record, seconds=time.monotonic() - begin)


def _run(snapshot: Snapshot, case: FuzzCase) -> Record:
    before = NO_BASELINE

    def prepare(guest: Guest) -> None:
        nonlocal before
        before = _examiner.prepare(guest, snapshot.identity.boot_id)

    with restore(snapshot, prepare) as guest:
        running = _Running(guest, case)
        fault = running.run(before)
        guest.settle()
        lines = guest.console.lines
        return Record(
            running.all_symptoms(),
            tuple(running.ended),
            frozenset(shape_of(line) for line in lines),
            lines[-KEPT_LINES:],
            fault,
        )


@dataclass
class _Running:
    """A case at work in *guest*."""

    guest: Guest
    case: FuzzCase
    symptoms: list[Symptom] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def run(self, before: Baseline) -> str:
        """Run all steps, then the oracles; return the error of the harness, or ""."""
        try:
            self._hold_mapping()
            self._steps()
            if self.guest.ending is None:
                self.guest.agent.hello(ANSWER_TIMEOUT)
                found = _examiner.examine(self.guest, before)
                self.symptoms += [Symptom("oracle", str(finding)) for finding in found]
        except GuestHang as hang:
            return self._hung(hang)
        except GuestError:
            pass  # the guest's ending says how
        except HarnessError as fault:
            return explain(fault)
        return ""

    def _hung(self, hang: GuestHang) -> str:
        """Tell a guest that hangs from one that still answers but missed a time-out."""
        try:
            self.guest.agent.hello(ANSWER_TIMEOUT)
        except GuestHang:
            if not self.guest.console.reports:
                where = place_of_cpu(self.guest)
                self.symptoms.append(Symptom("hang", f"it does not answer, in {where}"))
        except GuestError:
            pass  # it has ended now
        else:
            return explain(hang)
        return ""

    def all_symptoms(self) -> tuple[Symptom, ...]:
        """All symptoms, kernel reports included."""
        reports = [
            Symptom("report", report.title)
            for report in self.guest.console.reports
            if not report.benign and not is_harmless(report)
        ]
        ending = self.guest.ending
        hung = any(symptom.sort == "hang" for symptom in self.symptoms)
        if ending is not None and not self.guest.console.reports and not hung:
            reports.append(Symptom("end", str(ending)))
        return (*reports, *self.symptoms)

    def _hold_mapping(self) -> None:
        """Hold a mapping whose slots and guards the device's driver must leave alone."""
        probe = Probe(self.guest.agent)
        if any(device.name == BYSTANDER for device in probe.devices()):
            probe.device(BYSTANDER).map_single(probe.buffer(2 * PAGE), Direction.BIDIRECTIONAL)

    def _steps(self) -> None:
        plug, *others = self.case.steps
        rogue = self._plug(plug)
        for step in others:
            how = self._step(rogue, step)
            self.ended.append(f"{step.do}: {how}")
            if how not in WELL and not self._recovers(rogue):
                break
        rogue.on_request = None
        if rogue.connected:
            rogue.release()
        self.ended.append(f"unbind: {self._do(len(self.ended), unbound(str(rogue.bdf)))}")

    def _plug(self, step: FuzzStep) -> VhostRogue:
        rogue = VhostRogue(
            self.guest,
            _device(self.case.kind),
            on_request=mutation_for(step.mutations, 0) if step.mutations else None,
            on_config=config_mutation(self.case.kind, self.case.config),
            driver=not self.case.config,
        )
        self.ended.append(f"{PLUG}: {self._do(0, probed(str(rogue.bdf)))}")
        return rogue

    def _step(self, rogue: VhostRogue, step: FuzzStep) -> str:
        """Run a step, return its result; serve held requests once if it is stuck."""
        work = WORK[self.case.kind][step.do]
        rogue.on_request = (
            mutation_for(step.mutations, len(rogue.requests)) if step.mutations else None
        )
        if work.command is None:
            return _by_device(rogue, step)
        number = len(self.ended)
        how = self._do(number, f"rm -f {READ}; {work.command(step.value, str(rogue.bdf))}")
        if how == STUCK and rogue.held:
            rogue.on_request = None
            rogue.release()
            how = self._wait(f"exec 3<> /tmp/step{number}; {_WAIT}")
        if how == "0" and work.reads:
            self.symptoms += foreign_data(self.guest, self.case, step)
        return how

    def _recovers(self, rogue: VhostRogue) -> bool:
        """Bind the driver again, to a correct device; False if that does not end.

        A device that reconnects gets the unanswered requests again, so that most waiting drivers
        continue.
        """
        rogue.on_request = None
        for stay in (rogue.connected, False):
            if not stay:
                rogue.hang_up()
                rogue.reconnect()
            how = self._do(len(self.ended), rebound(0, str(rogue.bdf)))
            self.ended.append(f"recover: {how}")
            if how != STUCK:
                return True
        return False

    def _do(self, number: int, command: str) -> str:
        """Run *command* in the guest, and wait for WORK_TIMEOUT at most."""
        pipe = f"/tmp/step{number}"
        inner = f"( {command} ) > /dev/null 2>&1 < /dev/null; echo $? >&3"
        begin = f"mkfifo {pipe}; exec 3<> {pipe}; ({inner}) > /dev/null 2>&1 < /dev/null &"
        return self._wait(f"{begin} {_WAIT}")

    def _wait(self, command: str) -> str:
        """The exit status of the work that *command* waits for, or STUCK."""
        ran = self.guest.agent.run(command, RUN_TIMEOUT)
        return ran.text.strip() or STUCK


def _device(kind: Kind) -> Entropy | Disk:
    return Entropy(FILL) if kind == "rng" else Disk(bytes([FILL]) * PAGE * DISK_PAGES, SERIAL)


def _by_device(rogue: VhostRogue, step: FuzzStep) -> str:
    """A step of the device alone, without a command in the guest."""
    if step.do == RELEASE and rogue.connected:
        rogue.release(mutation_for(step.mutations, 0) if step.mutations else None)
    elif step.do == RECONNECT:
        rogue.hang_up()
        rogue.reconnect()
    elif step.do == CAPACITY and rogue.connected:
        rogue.change_config(mutations.capacity(step.value))
    return "done"
