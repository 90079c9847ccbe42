# SPDX-License-Identifier: Apache-2.0
"""The kill table, for people and for programs."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.markup import escape
from rich.table import Column, Table

from harness.jobs.mutants.mutant import Mutant
from harness.jobs.mutants.verdict import Judgement, Verdict
from harness.results.case import Case

Judged = Sequence[tuple[Mutant, Verdict | str]]
"""Mutants, each with its verdict or with the reason why there is none."""


def verdict_table(judged: Judged) -> Table:
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
    for mutant, verdict in judged:
        cells = (mutant.name, " ".join(mutant.breaks), *_cells(mutant, verdict))
        table.add_row(*(escape(cell) for cell in cells))
    return table


def verdict_json(judged: Judged) -> list[dict[str, Any]]:
    """The table's rows with all that is known of them."""
    return [
        {
            "mutant": mutant.name,
            "class": mutant.kind,
            "breaks": mutant.breaks,
            "tier": mutant.tier,
            "flavour": mutant.flavour,
            **_facts(verdict),
        }
        for mutant, verdict in judged
    ]


def _facts(verdict: Verdict | str) -> dict[str, Any]:
    if isinstance(verdict, str):
        return {"verdict": None, "reason": verdict}
    return {
        "verdict": verdict.judgement.value,
        "failed": [asdict(one) for one in verdict.failed],
        "build_seconds": round(verdict.build_seconds, 1),
        "test_seconds": round(verdict.test_seconds, 1),
    }


def _cells(mutant: Mutant, verdict: Verdict | str) -> tuple[str, ...]:
    if isinstance(verdict, str):
        return ("not judged", verdict)
    killer = _killer(mutant, verdict)
    right = {Judgement.KILLED: "yes", Judgement.WRONG_REASON: "no"}.get(verdict.judgement, "")
    return (
        verdict.judgement.value,
        f"{_short(killer.test)}: {killer.result}" if killer else "",
        " ".join(killer.violated) if killer else "",
        right,
        f"{verdict.build_seconds:.0f}",
        f"{verdict.test_seconds:.0f}",
    )


def _killer(mutant: Mutant, verdict: Verdict) -> Case | None:
    """Of the tests that failed the one with the most of what the mutant breaks."""
    if not verdict.failed:
        return None
    return max(verdict.failed, key=lambda one: len(set(one.violated) & set(mutant.breaks)))


def _short(test: str) -> str:
    """A node id without the folders in front of its file."""
    file, _, name = test.partition("::")
    return f"{file.rpartition('/')[2]}::{name}"
