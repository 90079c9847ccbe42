# SPDX-License-Identifier: Apache-2.0
"""The kill table: which test kills each mutant; as a table and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.markup import escape
from rich.table import Column, Table

from harness.jobs.mutants.mutant import Mutant
from harness.jobs.mutants.mutant_trial import Judgement, MutantTrial
from harness.results.case import Case
from harness.results.render.plain_text import short_name

Judged = Sequence[tuple[Mutant, MutantTrial | str]]
"""Mutants, each with its trial or with the reason why there is none."""


def kill_table(judged: Judged) -> Table:
    """One row a mutant: what it breaks, which test saw it, what that test named."""
    table = Table(
        Column("mutant", no_wrap=True),
        "breaks",
        "verdict",
        Column("killed by", ratio=1, overflow="fold"),
        "names",
        "right reason",
        Column("build s", justify="right"),
        Column("test s", justify="right"),
    )
    for mutant, trial in judged:
        cells = (mutant.name, " ".join(mutant.breaks), *_cells(mutant, trial))
        table.add_row(*(escape(cell) for cell in cells))
    return table


def kills_json(judged: Judged) -> list[dict[str, Any]]:
    """The rows of the table, with everything that is known about each."""
    return [
        {
            "mutant": mutant.name,
            "class": mutant.kind,
            "breaks": mutant.breaks,
            "tier": mutant.tier,
            "flavour": mutant.flavour,
            **_facts(trial),
        }
        for mutant, trial in judged
    ]


def _facts(trial: MutantTrial | str) -> dict[str, Any]:
    if isinstance(trial, str):
        return {"verdict": None, "reason": trial}
    return {
        "verdict": trial.judgement.value,
        "failed": [asdict(one) for one in trial.failed],
        "build_seconds": round(trial.build_seconds, 1),
        "test_seconds": round(trial.test_seconds, 1),
    }


def _cells(mutant: Mutant, trial: MutantTrial | str) -> tuple[str, ...]:
    if isinstance(trial, str):
        return ("not judged", trial)
    killer = _killer(mutant, trial)
    right = {Judgement.KILLED: "yes", Judgement.WRONG_REASON: "no"}.get(trial.judgement, "")
    return (
        trial.judgement.value,
        f"{short_name(killer.test)}: {killer.result}" if killer else "",
        " ".join(killer.violated) if killer else "",
        right,
        f"{trial.build_seconds:.0f}",
        f"{trial.test_seconds:.0f}",
    )


def _killer(mutant: Mutant, trial: MutantTrial) -> Case | None:
    """The failed test that names most of the properties that the mutant breaks."""
    if not trial.failed:
        return None
    return max(trial.failed, key=lambda one: len(set(one.violated) & set(mutant.breaks)))
