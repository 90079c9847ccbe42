# SPDX-License-Identifier: Apache-2.0
"""Run the tests of any shape on what a board was taken over to, and compare with the lint.

::

    Board ─► Transfer ─► Devicetree ─┬─► run of the suite, --shape=FILE ─┐
                                     └─► judge(): what is predicted ─────┴─► BoardTrial
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from harness.base.cache import Cache, digest
from harness.kernel import build_kernel
from harness.machine.binary import Qemu, find_qemu
from harness.machine.devicetree import Devicetree
from harness.machine.devicetree.board import Board
from harness.machine.devicetree.flat import read_blob
from harness.machine.devicetree.lint import BoardJudgement, Status, judge
from harness.machine.devicetree.model import (
    DevicePrediction,
    Environment,
    KernelVersion,
    ReservedNode,
    Restriction,
)
from harness.machine.devicetree.model.environment import NEWEST
from harness.machine.devicetree.overlay import SUFFIX
from harness.machine.devicetree.payload import BootPayload
from harness.machine.devicetree.qemu import HOST_BRIDGE
from harness.machine.devicetree.reserved import ram_regions
from harness.machine.devicetree.tree import Tree
from harness.machine.shape import shaped_devicetree
from harness.machine.transfer import Kind, StandIn, Transfer, transfer_board
from harness.machine.transfer.overlay_node import safe_name
from harness.results import Case, Run, SuiteRequest, Verdict, run_suite, verdict_of

SUITE = "harness/suite/properties"
PREDICTION = "test_the_lint_predicts_what_the_kernel_makes_of_a_shape"
"""The test that compares the kernel with the lint."""

DIFFERS = "The kernel does not do what the lint predicts."
"""The summary of what that test finds violated, if they differ."""

FENCED = "test_behind_a_fence_all_dma_of_a_driver_lies_in_the_pool"
"""The test of a real driver behind a fence."""

TESTS = tuple(f"{SUITE}/test_{name}.py" for name in ("prediction", "shapes", "any_shape"))
"""The files with tests of any shape."""


@dataclass(frozen=True)
class DeviceTrial:
    """A device of the board: what stands in for it, what is predicted there, and its tests.

    *on_board* is what is predicted for the board itself. Either is None if there is no such node.
    """

    stand_in: StandIn
    predicted: DevicePrediction | None
    on_board: DevicePrediction | None
    cases: tuple[Case, ...]

    @property
    def differs(self) -> bool:
        """Whether the machine's device is predicted to be something else than the board's."""
        if self.predicted is None or self.on_board is None:
            return self.predicted is not self.on_board
        return self.predicted.outcome is not self.on_board.outcome


@dataclass(frozen=True)
class BoardTrial:
    """The answers for one board and kernel.

    *judged* is what the lint says of the machine's devicetree, *on_board* of the board's own.
    """

    board: str
    transfer: Transfer
    judged: BoardJudgement
    on_board: BoardJudgement
    run: Run

    @property
    def pools(self) -> tuple[ReservedNode, ...]:
        """The nodes of the machine that ask to be restricted pools."""
        regions = self.judged.prediction.regions.nodes
        return tuple(one for one in regions if one.is_meant_as_pool)

    @cached_property
    def devices(self) -> tuple[DeviceTrial, ...]:
        """The devices, in the order of the board's tree."""
        here = {one.path: one for one in self.judged.prediction.devices}
        there = {one.path: one for one in self.on_board.prediction.devices}
        return tuple(
            DeviceTrial(one, here.get(one.node), there.get(one.path), self._cases(one))
            for one in self.transfer.stand_ins
        )

    @property
    def comparison(self) -> Case | None:
        """The test that compares the kernel with the lint; None if it did not run."""
        return next((one for one in self.run.tests if PREDICTION in one.test), None)

    @property
    def differs(self) -> bool:
        """Whether the kernel does something else than the lint predicts."""
        case = self.comparison
        return case is not None and any(one.summary == DIFFERS for one in case.violations)

    @property
    def fenced(self) -> tuple[Case, ...]:
        """The tests of real drivers behind a fence, one each."""
        return tuple(one for one in self.run.tests if FENCED in one.test)

    @property
    def verdict(self) -> Verdict:
        """The verdict: BAD if kernel or board are at fault."""
        verdict = verdict_of(self.run)
        if verdict is Verdict.GOOD:
            return _VERDICTS[self.judged.status]
        return verdict

    def _cases(self, one: StandIn) -> tuple[Case, ...]:
        """The tests of a device; endpoints without a node stand for their host bridge."""
        path = f"{HOST_BRIDGE}/*" if one.kind is Kind.HOST else one.node
        return tuple(case for case in self.run.tests if path and user_of(case) == path)


_VERDICTS = {
    Status.GOOD: Verdict.GOOD,
    Status.BAD: Verdict.BAD,
    Status.UNKNOWN: Verdict.NOT_JUDGED,
}


def user_of(case: Case) -> str:
    """The path of the device that a test was about; empty if it was about none."""
    _, bracket, parameters = case.test.partition("[")
    _, slash, path = parameters.removesuffix("]").partition("/")
    return f"/{path}" if bracket and slash else ""


def try_board(
    board: Board,
    ram_size: int | None,
    request: SuiteRequest,
    around: Environment,
    log: Path | None = None,
) -> BoardTrial:
    """Try *board* with the kernel and QEMU of *request*, on a machine with *ram_size* bytes of RAM.

    Without a size it has as much as the board needs. *around* is what the board's boot loader adds.
    Raises InputError or DevicetreeError if QEMU's machine cannot have the board, and what
    :func:`run_suite` raises.
    """
    qemu = find_qemu(request.qemu)
    # before the build, so that a wrong board is said at once
    _on_machine(board, KernelVersion(NEWEST), qemu, ram_size, around)
    kernel = build_kernel(request.spec)
    version = KernelVersion.parse(kernel.release)
    transfer, shape, devicetree = _on_machine(board, version, qemu, ram_size, around)
    ram = ram_regions(Tree(devicetree.blob))[0]
    loaded = Environment(loaded=BootPayload().loaded(ram), page=kernel.page_size)
    judged = judge(read_blob(devicetree.blob), version, loaded)
    asked = replace(
        request,
        shape=str(shape),
        ram_size=transfer.ram_size,
        tests=TESTS,
        workers=0,
        match=PREDICTION if _does_not_boot(judged) else "",
    )
    run = run_suite(asked, log)
    return BoardTrial(
        board=board.name,
        transfer=transfer,
        judged=judged,
        on_board=judge(board.tree, version, replace(around, page=kernel.page_size)),
        run=run,
    )


def _on_machine(
    board: Board, kernel: KernelVersion, qemu: Qemu, ram_size: int | None, around: Environment
) -> tuple[Transfer, Path, Devicetree]:
    """The board as taken over for *kernel*, the file of its overlay, and the machine's tree."""
    transfer = transfer_board(board, kernel, ram_size, around.ram)
    shape = keep_shape(board.name, transfer)
    return transfer, shape, shaped_devicetree(qemu, shape, ram_size=transfer.ram_size)


def keep_shape(name: str, transfer: Transfer) -> Path:
    """Write the overlay to a file that stays, for whoever runs a test again."""

    def write(directory: Path) -> None:
        (directory / file).write_text(transfer.overlay)

    file = f"{safe_name(Path(name).stem)}{SUFFIX}"
    return Cache("shapes").get(digest(file, transfer.overlay), write) / file


def _does_not_boot(judged: BoardJudgement) -> bool:
    """Whether no other test than the comparison can have a guest."""
    ends: Sequence[DevicePrediction] = judged.prediction.devices
    no_boot = any(one.outcome is Restriction.NO_BOOT for one in ends)
    return judged.prediction.fatal is not None or no_boot
