# SPDX-License-Identifier: Apache-2.0
"""The answers for a board: what it was taken over to, each pool, each device, what is violated."""

from collections.abc import Iterator, Mapping
from typing import Any

from harness.base.result import Result
from harness.base.space import KIB
from harness.jobs.board.board_trial import BoardTrial, DeviceTrial
from harness.machine.devicetree.lint import measure
from harness.machine.devicetree.model import Kind, Level, ReservedNode, Restriction
from harness.machine.transfer import Transfer
from harness.results import Case, summary_lines

WIDTH = 10


def transfer_lines(transfer: Transfer) -> Iterator[str]:
    """What was moved, what stands in for what, and what is not as on the board."""
    yield "memory"
    yield from (f"  {one}" for one in transfer.moves)
    yield "stand-ins"
    yield from (f"  {one}" for one in transfer.stand_ins)
    if transfer.remarks:
        yield "not as on the board"
        yield from (f"  {one}" for one in transfer.remarks)


def trial_text(trial: BoardTrial) -> str:
    """All answers."""
    return "\n".join(_lines(trial))


def _lines(trial: BoardTrial) -> Iterator[str]:
    where = trial.run.provenance
    yield f"{'board':{WIDTH}}{trial.board}"
    yield f"{'kernel':{WIDTH}}{where.release} ({where.source})"
    yield f"{'machine':{WIDTH}}{where.qemu}, {trial.transfer.ram_size >> 20} MiB of RAM"
    yield ""
    yield from transfer_lines(trial.transfer)
    yield ""
    yield "pools"
    yield from (f"  {_pool(one, trial)}" for one in trial.pools)
    yield "devices"
    for device in trial.devices:
        yield from (f"  {line}" for line in _device(device))
    yield ""
    yield from _remarks(trial)
    yield from _compared(trial)
    yield _fenced(trial)
    yield from _violated(trial)
    yield from _complaints(trial)
    yield from summary_lines(trial.run)
    yield f"verdict: {trial.verdict.value}; exit code {trial.verdict.exit_code}"


def _pool(one: ReservedNode, trial: BoardTrial) -> str:
    place = f" {one.place}" if one.base is not None else ""
    why = f" ({one.rule.name})" if one.rule else ""
    if one.kind is not Kind.POOL or one.base is None:
        return f"{one.name}{place}: {one.kind.value}{why}"
    fits = measure(one.place, trial.judged.kernel, trial.judged.prediction.around.page)
    return (
        f"{one.name}{place}: {one.kind.value}; {fits.slots} slots, largest mapping "
        f"{fits.largest_mapping / KIB:g} KiB, coherent allocation {fits.largest_coherent / KIB:g} "
        f"KiB"
    )


def _device(one: DeviceTrial) -> Iterator[str]:
    yield f"{one.stand_in.path}: {_outcome(one)}; {_properties(one.cases)}"
    if one.differs and one.on_board is not None:
        yield f"  on the board, by the lint: {one.on_board.outcome.value}: {one.on_board.why}"


def _outcome(one: DeviceTrial) -> str:
    found = one.predicted
    if found is None:
        return "not tried"
    pool = found.pool.name if found.pool is not None else ""
    outcome = found.outcome.with_pool(pool)
    if found.outcome is Restriction.RESTRICTED:
        return outcome
    return f"{outcome}, because {found.why} [{found.rule.name}]"


def _properties(cases: tuple[Case, ...]) -> str:
    if not cases:
        return "no test of its own"
    bad = [one for one in cases if one.result not in (Result.PASS, Result.SKIP)]
    if not bad:
        count = sum(one.result is Result.PASS for one in cases)
        return f"{count} test{'' if count == 1 else 's'} passed"
    ids = " ".join(dict.fromkeys(name for one in bad for name in one.violated))
    return ", ".join([f"{one.result}" for one in bad]) + (f" ({ids})" if ids else "")


def _remarks(trial: BoardTrial) -> Iterator[str]:
    """What the lint finds wrong, with the findings that say so of the kernel."""
    faults = [one for one in trial.judged.faults if one.rule.level is not Level.NOTE]
    if faults:
        yield "the lint says"
    for one in faults:
        finding = f", {one.rule.entry}" if one.rule.entry else ""
        text = _on_board(trial, f"{one.path}: {one.text}")
        yield f"  {one.level}: {text} [{one.rule.name}{finding}]"
    if faults:
        yield ""


def _compared(trial: BoardTrial) -> Iterator[str]:
    case = trial.comparison
    if case is None:
        yield "the kernel was not compared with the lint"
    elif case.result is Result.PASS:
        yield "the kernel does what the lint predicts: regions, pools, devices, log"
    elif trial.differs:
        yield "the kernel does not do what the lint predicts"
    elif case.against_kernel:
        ids = " ".join(case.violated)
        yield f"the kernel does what the lint predicts, and violates properties ({ids})"
    else:
        yield f"the kernel was not compared with the lint: {case.result}, {case.message}"


def _fenced(trial: BoardTrial) -> str:
    models = [one.test.rpartition("[")[2].rpartition("]")[0] for one in trial.fenced]
    if not models:
        return (
            "no device was tried behind a fence: that takes a PCI device that is restricted to a "
            "pool with an address, of 64 KiB or more, and sees it there"
        )
    names = ", ".join(name.removeprefix("smmu-") for name in models)
    if all(one.result is Result.PASS for one in trial.fenced):
        return f"behind a fence nothing outside the pools was accessed: {names}"
    return f"behind a fence not all was as it should be: {names}"


def _violated(trial: BoardTrial) -> Iterator[str]:
    for case in trial.run.tests:
        if case.result.at_fault or case.result is Result.NOT_JUDGED:
            yield ""
            yield f"{case.test.rpartition('::')[2]}: {case.result}"
            yield from (f"  {line}" for one in case.violations for line in str(one).splitlines())
            if not case.violations:
                yield f"  {case.message}"


def _complaints(trial: BoardTrial) -> Iterator[str]:
    if trial.judged.complaints:
        yield ""
        yield "the board is at fault"
        yield from (f"  {_on_board(trial, one)}" for one in trial.judged.complaints)
        yield ""


def _on_board(trial: BoardTrial, said: str) -> str:
    """What was *said* of a stand-in, of the node on the board."""
    path, colon, text = said.partition(": ")
    nodes = {one.node: one.path for one in trial.transfer.stand_ins}
    return f"{nodes.get(path, path)}{colon}{text}"


def as_json(trial: BoardTrial) -> Mapping[str, Any]:
    """The answers for a program; addresses in hexadecimal."""
    return {
        "board": trial.board,
        "kernel": trial.run.provenance.release,
        "qemu": trial.run.provenance.qemu,
        "ram_size": trial.transfer.ram_size,
        "exit_code": trial.verdict.exit_code,
        "as_predicted": _as_predicted(trial),
        "complaints": trial.judged.complaints,
        "moves": [
            {"path": one.path, "board": _range(one.range), "machine": _range(one.place)}
            for one in trial.transfer.moves
        ],
        "remarks": trial.transfer.remarks,
        "pools": [
            {
                "name": one.name,
                "became": one.kind.value,
                "base": None if one.base is None else f"{one.base:#x}",
                "size": one.size,
            }
            for one in trial.pools
        ],
        "devices": [_device_json(one) for one in trial.devices],
        "tests": [
            {"test": one.test, "result": one.result, "message": one.message}
            for one in trial.run.tests
        ],
    }


def _as_predicted(trial: BoardTrial) -> bool | None:
    """Whether the kernel does what the lint predicts; None if that was not seen."""
    case = trial.comparison
    if case is None or case.result.held is None:
        return None
    return not trial.differs


def _range(one: Any) -> Mapping[str, Any]:
    return {"base": f"{one.base:#x}", "size": one.size}


def _device_json(one: DeviceTrial) -> Mapping[str, Any]:
    found = one.predicted
    return {
        "path": one.stand_in.path,
        "stand_in": one.stand_in.kind.value,
        "node": one.stand_in.node,
        "remark": one.stand_in.remark,
        "outcome": found.outcome.value if found else None,
        "rule": found.rule.name if found else None,
        "pool": found.pool.name if found and found.pool else None,
        "on_board": one.on_board.outcome.value if one.on_board else None,
        "results": {case.test: case.result for case in one.cases},
    }
