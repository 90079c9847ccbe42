# SPDX-License-Identifier: Apache-2.0
"""The verdict on a devicetree for one kernel: good, bad, or cannot tell."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from harness.base.errors import InputError
from harness.machine.devicetree.flat import FlatTree
from harness.machine.devicetree.lint.faults import Fault, find_faults, without_pool_below
from harness.machine.devicetree.model.attachment import DevicePrediction, Restriction, named_pools
from harness.machine.devicetree.model.environment import Environment, KernelVersion
from harness.machine.devicetree.model.prediction import Prediction, predict
from harness.machine.devicetree.model.rules import RULES


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


def judge(
    tree: FlatTree,
    kernel: KernelVersion,
    around: Environment,
    expected: Sequence[Expectation] = (),
) -> BoardJudgement:
    """Predict for *kernel* and compare with what the tree and *expected* want."""
    found = predict(tree, kernel, around)
    said = tuple(_complaints(tree, found, expected))
    status = Status.worst([one for one, _ in said] or [Status.GOOD])
    return BoardJudgement(
        found, find_faults(tree, found, around), status, tuple(text for _, text in said)
    )


def _complaints(
    tree: FlatTree, found: Prediction, expected: Sequence[Expectation]
) -> Iterator[tuple[Status, str]]:
    if found.fatal is not None:
        yield Status.BAD, f"Linux {found.kernel.text} does not boot with it ({found.fatal.name})"
    if found.fatal_later is not None:
        text = f"Linux {found.kernel.text} oopses under load ({found.fatal_later.name})"
        yield Status.BAD, text
    naming = [one for one in found.devices if one.names]
    for one in naming:
        if (status := _status(one)) is not Status.GOOD:
            yield status, f"{one.path}: {one.outcome.value}: {one.why}"
        elif without_pool_below(one, found):
            yield Status.BAD, f"{one.path} is a bus, and the devices below it inherit nothing"
    behind = [one for one in found.devices if one.outcome is Restriction.IOMMU and not one.names]
    for one in behind:
        if named_pools(one.device.configured_by, tree):
            yield Status.UNKNOWN, f"{one.path}: {one.outcome.value}: {one.why}"
    for want in expected:
        yield from _unmet(tree, found, want)
    if not naming and not expected:
        yield Status.UNKNOWN, "no node names a restricted pool, and nothing is expected"


def _status(device: DevicePrediction) -> Status:
    """Whether a node that names a pool becomes a restricted device."""
    if device.outcome in (Restriction.RESTRICTED, Restriction.PART):
        return Status.GOOD
    if device.outcome is Restriction.IOMMU or device.rule is RULES["by-driver"]:
        return Status.UNKNOWN
    return Status.BAD


def _unmet(tree: FlatTree, found: Prediction, want: Expectation) -> Iterator[tuple[Status, str]]:
    aliases = tree.root.child("aliases")
    named = aliases.strings(want.node) if aliases else ()
    path = named[0] if named else want.node
    hits = [one for one in found.devices if path in (one.path, one.device.node.name)]
    symbols = tree.root.child("__symbols__")
    pools = {want.pool, *(symbols.strings(want.pool) if symbols else ())}
    if not hits:
        yield Status.BAD, f"expected {want}: there is no device {want.node}"
    for one in hits:
        pool = one.pool
        is_pool = pool is not None and bool(pools & {pool.name, pool.node.path})
        if one.outcome is Restriction.RESTRICTED and is_pool:
            continue
        got = f"{one.outcome.value}: {one.why}"
        if one.outcome is Restriction.RESTRICTED and pool is not None:
            got = f"restricted to {pool.name}"
        bad = one.outcome is Restriction.RESTRICTED or _status(one) is not Status.UNKNOWN
        yield Status.BAD if bad else Status.UNKNOWN, f"expected {want}: {one.path} is {got}"
