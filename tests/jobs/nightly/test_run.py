# SPDX-License-Identifier: Apache-2.0
"""A night runs each new job once, and reports its verdict."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock
from nightly_plans import Desk

from harness.base.cache import digest
from harness.base.paths import cache_directory
from harness.cli import main
from harness.jobs.nightly.state import open_night


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """A desk whose nights may run in this process."""
    made = Desk(tmp_path)
    for name, value in made.environment().items():
        monkeypatch.setenv(name, value)
    return made


def night(desk: Desk, *words: str) -> int:
    return main(["nightly", str(desk.plan), *words])


def runs(desk: Desk) -> int:
    """How many runs of tests were begun."""
    return len(desk.trace.all("begin"))


def test_what_did_not_change_is_not_run_again(desk: Desk) -> None:
    desk.write()

    codes = [night(desk), night(desk)]

    assert (runs(desk), codes) == (4, [1, 1])


def test_a_new_kernel_is_run_and_the_others_are_not(desk: Desk) -> None:
    desk.write()
    night(desk)
    desk.kernel("two", "newer")

    night(desk)

    assert runs(desk) == 6


def test_a_priority_a_name_or_a_word_of_advice_changes_no_verdict(desk: Desk) -> None:
    desk.write()
    night(desk)
    text = desk.plan.read_text().replace("slots = 1", "slots = 1\nexpect = '1 h'")
    desk.plan.write_text(text.replace("kernels.two", "kernels.zwei") + "[[cross]]\npriority = 5\n")

    night(desk)

    assert runs(desk) == 4


def test_again_runs_everything_once_more_and_keeps_both(desk: Desk) -> None:
    desk.write()
    night(desk)

    night(desk, "--again")

    assert (runs(desk), len({row[0] for row in desk.history()})) == (8, 8)


def test_a_night_that_was_asked_for_again_goes_on_where_it_was_killed(desk: Desk) -> None:
    desk.write()
    night(desk)
    with open_night(desk.plan, again=True) as killed:
        killed.begin()

    night(desk)
    night(desk)

    assert runs(desk) == 8


def test_a_test_that_could_not_be_judged_is_tried_in_the_next_night(desk: Desk) -> None:
    desk.write(kernels=("one",), orders="error=1")

    codes = [night(desk), night(desk)]

    assert (runs(desk), codes) == (3, [1, 1])


def test_within_a_night_it_counts_once(desk: Desk) -> None:
    desk.write(kernels=("one",), orders="error=1")
    with open_night(desk.plan) as killed:
        killed.begin()
    night(desk)
    with open_night(desk.plan) as other:
        assert other.name != killed.name
    killed.begin()

    night(desk)

    assert (runs(desk), len({row[0] for row in desk.history()})) == (2, 2)


@pytest.mark.parametrize(
    ("orders", "kernel", "code", "said"),
    [
        ("sleep=0", "well 4", 0, "2 jobs: 2 run"),
        ("sleep=0", "one", 1, "FAIL harness/suite/test_d.py::test_it"),
        ("error=1", "well 4", 2, "ERROR"),
        ("refuse=1", "well 4", 2, "one/plain/plain/default/first: no tests today"),
        ("sleep=0", "broken", 2, "one does not compile"),
    ],
)
def test_the_exit_code_says_what_the_night_came_to(
    desk: Desk,
    capsys: pytest.CaptureFixture[str],
    orders: str,
    kernel: str,
    code: int,
    said: str,
) -> None:
    desk.kernel("one", kernel)
    desk.write(kernels=("one",), orders=orders)

    assert night(desk) == code
    assert said in capsys.readouterr().out


def test_a_kernel_that_does_not_build_is_tried_once_a_night(desk: Desk) -> None:
    desk.kernel("one", "broken")
    desk.write()

    night(desk)

    assert len(desk.trace.all("build")) == 2
    assert runs(desk) == 2


def test_what_has_no_time_is_said_and_left_for_another_night(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.write('budget = "1 h"')
    text = desk.plan.read_text()
    desk.plan.write_text(text.replace("[groups.second]", "[groups.second]\nexpect = '2 h'"))

    night(desk)

    assert (runs(desk), "2 run, 2 no time" in capsys.readouterr().out) == (2, True)
    night(desk, "--budget", "3 h")
    assert runs(desk) == 4


def test_a_night_without_any_time_runs_nothing_and_fails_nothing(desk: Desk) -> None:
    desk.write()

    assert (night(desk, "--budget", "0 s"), runs(desk)) == (0, 0)


def test_what_fails_without_the_series_too_says_so(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    (desk.root / "fix.patch").write_text("no fix")
    desk.write(kernels=("one",), orders="error=1")
    desk.plan.write_text(desk.plan.read_text() + '[series]\nfix = ["fix.patch"]\n')

    night(desk)

    said = capsys.readouterr().out
    assert "one/fix/plain/default/first: ERROR (without the series, too) harness/suite" in said
    assert "one/plain/plain/default/first: ERROR harness/suite" in said


@pytest.mark.parametrize("word", ["--list", "--dry-run"])
def test_the_list_runs_nothing_and_begins_no_night(
    desk: Desk, capsys: pytest.CaptureFixture[str], word: str
) -> None:
    desk.write()
    night(desk)
    desk.kernel("two", "newer")
    capsys.readouterr()

    code = night(desk, word)

    said = capsys.readouterr().out
    assert (code, runs(desk)) == (0, 4)
    assert (said.count("unchanged ("), said.count("run, ")) == (2, 2)
    with open_night(desk.plan) as one, open_night(desk.root / "other") as two:
        assert one.name != two.name
        assert not (one.folder / "night.json").exists()


def test_two_nights_over_one_plan_do_not_run_at_a_time(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.write()
    folder = cache_directory() / "nightly" / digest(str(desk.plan))
    folder.mkdir(parents=True)

    with FileLock(folder / "lock"):
        code = night(desk)

    assert code == 2
    assert f"another process works on {desk.plan}" in capsys.readouterr().err


def test_the_results_are_written_for_machines(desk: Desk) -> None:
    desk.kernel("two", "broken")
    desk.write()

    night(desk, f"--json={desk.root / 'night.json'}")

    jobs = json.loads((desk.root / "night.json").read_text())
    assert [job["fate"] for job in jobs] == ["run", "run", "not judged", "not judged"]
    assert jobs[0]["results"] == {"PASS": 2}


def test_a_kernel_that_changed_on_the_way_is_not_booked_as_the_planned_one(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.write(kernels=("one",))
    monkeypatch.setattr(
        "nightly_work.CheapRunner.build", lambda *_: desk.kernel("one", "changed meanwhile")
    )

    assert night(desk) == 2
    assert "has changed since the night was planned" in capsys.readouterr().out


def test_without_a_cluster_nothing_of_dask_is_imported(desk: Desk) -> None:
    desk.write()
    code = (
        "import sys; from harness.cli import main; code = main(sys.argv[1:]);"
        "print('imported:', sorted({'dask', 'distributed', 'fsspec'} & set(sys.modules)))"
    )
    command = [sys.executable, *desk.command(code=code)]

    done = subprocess.run(
        command, check=False, env=desk.environment(), capture_output=True, text=True
    )

    assert done.stdout.splitlines()[-1] == "imported: []"
    assert runs(desk) == 4
