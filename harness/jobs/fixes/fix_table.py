# SPDX-License-Identifier: Apache-2.0
"""Finding, kernel, before, after: as a table and as JSON."""

from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Column, Table

from harness.jobs.fixes.fix_trial import FixTrial
from harness.results.render.plain_text import short_name


def fix_table(trials: Sequence[FixTrial]) -> Table:
    """One row a trial."""
    table = Table(
        Column("finding", no_wrap=True),
        "kernel",
        "its tests before",
        "after",
        "outcome",
        Column("other tests that change", ratio=1, overflow="fold"),
    )
    for one in trials:
        cells = (one.name, one.version, one.before, one.after, one.outcome.value, _others(one))
        table.add_row(*map(escape, cells))
    return table


def fixes_json(trials: Sequence[FixTrial]) -> list[dict[str, Any]]:
    """The rows of the table."""
    return [
        {
            "finding": one.name,
            "kernel": one.version,
            "before": one.before,
            "after": one.after,
            "outcome": one.outcome.value,
            "reason": one.reason,
            "changed": {change.test: change.change.value for change in one.changed},
        }
        for one in trials
    ]


def _others(trial: FixTrial) -> str:
    if trial.reason:
        return trial.reason
    own = {one.test for one in trial.tests}
    others = (one for one in trial.changed if one.test not in own)
    return "; ".join(f"{short_name(one.test)} is {one.change.value}" for one in others) or "none"
