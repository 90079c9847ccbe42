# SPDX-License-Identifier: Apache-2.0
"""``harness report`` of two runs also tells what calls cost on their kernels."""

from pathlib import Path

import pytest

from harness.cli import main
from harness.jobs.cost import Cost, save_costs

pytestmark = pytest.mark.usefixtures("cache")

JUNIT = '<testsuite><testcase classname="a" name="one"/></testsuite>'
LINE = "map 4 KiB (pool): 1102 -> 1950, +77 %"


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A run, and the costs of its kernel and of one that copies more."""
    (tmp_path / "run.xml").write_text(JUNIT)
    for name, count in (("before", 1102), ("after", 1950)):
        save_costs([Cost("map", 4096, "pool", 0, count)], tmp_path / f"{name}.json")
    return [str(tmp_path / name) for name in ("run.xml", "before.json", "after.json")]


def test_what_calls_cost_is_in_each_form(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run, before, after = files
    texts = [tmp_path / "page.html", tmp_path / "mail.txt"]

    main(["report", run, run, "--cost", before, after,
          f"--html={texts[0]}", f"--mail={texts[1]}"])  # fmt: skip

    said = (capsys.readouterr().out, *(one.read_text().replace("&gt;", ">") for one in texts))
    assert [LINE in one for one in said] == [True] * 3


def test_what_calls_cost_takes_two_runs(
    files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    run, before, after = files

    assert main(["report", run, "--cost", before, after]) == 2
    assert "--cost is for two runs" in capsys.readouterr().err
