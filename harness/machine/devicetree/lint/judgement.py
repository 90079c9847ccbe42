# SPDX-License-Identifier: Apache-2.0
"""The verdict on a devicetree for one kernel: good, bad, or cannot tell."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from harness.base.errors import InputError
from harness.machine.devicetree.flat import FlatTree
from harness.machine.devicetree.lint.device_faults import without_pool_below
from harness.machine.devicetree.lint.fault import Fault
from harness.machine.devicetree.lint.faults import find_faults
from harness.machine.devicetree.model.attachment import DevicePrediction, Restriction, named_pools
from harness.machine.devicetree.model.environment import Environment, KernelVersion
from harness.machine.devicetree.model.prediction import BY_BOOT_LOADER, Prediction, predict
from harness.machine.devicetree.model.rules import RULES, Rule


class Status(IntEnum):
    """The exit code of a devicetree: GOOD, BAD or UNKNOWN."""

    GOOD = 0
    BAD = 1
    UNKNOWN = 2

    @classmethod
    def worst(cls, many: "Sequence[Status]") -> "Status":
        """BAD outranks UNKNOWN, and that GOOD."""
        return max(many, key=[cls.GOOD, cls.UNKNOWN, cls.BAD].index, default=cls.UNKNOWN)


@dataclass(frozen=True)
class Expectation:
    """``--expect NODE=POOL``: the device at a path, alias or node name is restricted to a pool."""

    node: str
    pool: str

    @classmethod
    def parse(cls, text: str) -> "Expectation":
        """Read ``NODE=POOL``; raises InputError for another form."""
        node, equals, pool = text.rpartition("=")
        if not (node and equals and pool):
            raise InputError(
                f"'{text}' is not an expectation. Expected NODE=POOL, for example "
                "/soc/pcie@11230000=wifi@c0000000."
            )
        return cls(node, pool)

    def __str__(self) -> str:
        return f"{self.node}={self.pool}"


@dataclass(frozen=True)
class BoardJudgement:
    """What one kernel makes of a devicetree, and whether that is what its author wants.

    *complaints* say why *status* is not GOOD, a sentence each.
    """

    prediction: Prediction
    faults: tuple[Fault, ...]
    status: Status
    complaints: tuple[str, ...]

    @property
    def kernel(self) -> KernelVersion:
        """The kernel."""
        return self.prediction.kernel


@dataclass(frozen=True)
class _Complaint:
    """Why a tree is not good; *fault* if the tree's faults do not say so."""

    status: Status
    text: str
    fault: Fault | None = None


def judge(
    tree: FlatTree,
    kernel: KernelVersion,
    around: Environment,
    expected: Sequence[Expectation] = (),
) -> BoardJudgement:
    """Predict for *kernel* and compare with what the tree and *expected* want."""
    found = predict(tree, kernel, around)
    said = tuple(_complaints(tree, found, expected))
    status = Status.worst([one.status for one in said] or [Status.GOOD])
    faults = (*find_faults(tree, found, around), *(one.fault for one in said if one.fault))
    return BoardJudgement(found, faults, status, tuple(one.text for one in said))


def _complaints(
    tree: FlatTree, found: Prediction, expected: Sequence[Expectation]
) -> Iterator[_Complaint]:
    linux = f"Linux {found.kernel.text}"
    if found.fatal is not None:
        said = f"{linux} does not boot with it ({found.fatal.name})"
        yield _Complaint(Status.BAD, said + _unless(found.fatal))
    if found.fatal_later is not None:
        text = f"{linux} oopses under load ({found.fatal_later.name})"
        yield _Complaint(Status.BAD, text)
    naming = [one for one in found.devices if one.names]
    for one in naming:
        if (status := _status(one)) is not Status.GOOD:
            pool = one.pool.name if one.pool else ""
            said = f"{one.path}: {one.outcome.with_pool(pool)}: {one.why}"
            yield _Complaint(status, said + _unless(one.rule))
        elif without_pool_below(one, found):
            text = f"{one.path} is a bus, and the devices below it inherit nothing"
            yield _Complaint(Status.BAD, text)
    behind = [one for one in found.devices if one.outcome is Restriction.IOMMU and not one.names]
    for one in behind:
        if named_pools(one.device.configured_by, tree):
            yield _Complaint(Status.UNKNOWN, f"{one.path}: {one.outcome.value}: {one.why}")
    for want in expected:
        yield from _unmet(tree, found, want)
    if not naming and not expected:
        text = "no node names a restricted pool, and nothing is expected"
        yield _Complaint(Status.UNKNOWN, text, Fault(RULES["nothing-named"], "/", text))


def _unless(rule: Rule) -> str:
    """What the tree does not say of a pool outside RAM, and the option that says it."""
    return f", {BY_BOOT_LOADER} (--memory)" if rule is RULES["outside-ram"] else ""


def _status(device: DevicePrediction) -> Status:
    """Whether a node that names a pool becomes a restricted device."""
    if device.outcome in (Restriction.RESTRICTED, Restriction.PART):
        return Status.GOOD
    if device.outcome is Restriction.IOMMU or device.rule is RULES["by-driver"]:
        return Status.UNKNOWN
    return Status.BAD


def _unmet(tree: FlatTree, found: Prediction, want: Expectation) -> Iterator[_Complaint]:
    nodes, pools = _names(tree, want.node), _names(tree, want.pool)
    hits = [one for one in found.devices if nodes & {one.path, one.device.node.name}]
    if not hits:
        yield _failed(Status.BAD, "/", f"expected {want}: there is no device {want.node}")
    elif not any(pools & {node.path, node.name} for node in tree.root.below()):
        yield _failed(Status.BAD, "/", f"expected {want}: there is no node {want.pool}")
        return
    for one in hits:
        pool = one.pool
        is_pool = pool is not None and bool(pools & {pool.name, pool.node.path})
        if _status(one) is Status.GOOD and is_pool:
            continue
        got = one.outcome.with_pool(pool.name if pool else "")
        got = f": {got}" if one.outcome is Restriction.NO_DEVICE else f" is {got}"
        if one.outcome is not Restriction.RESTRICTED:
            got += f": {one.why}"
        bad = one.outcome is Restriction.RESTRICTED or _status(one) is not Status.UNKNOWN
        status = Status.BAD if bad else Status.UNKNOWN
        yield _failed(status, one.path, f"expected {want}: {one.path}{got}")


def _failed(status: Status, path: str, text: str) -> _Complaint:
    return _Complaint(status, text, Fault(RULES["expected"], path, text))


def _names(tree: FlatTree, name: str) -> set[str]:
    """*name* of a node as it was given, without a slash at its end, and as alias or label."""
    plain = name.rstrip("/") or "/"
    lists = (tree.root.child("aliases"), tree.root.child("__symbols__"))
    return {plain, *(path for one in lists if one for path in one.strings(plain))}
