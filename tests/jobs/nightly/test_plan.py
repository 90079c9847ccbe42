# SPDX-License-Identifier: Apache-2.0
"""A night's plan is read, and what is wrong with it is said by its place."""

from pathlib import Path

import pytest
from kernel_trees import SLOTS_PATCH, tiny_tree
from mail_threads import mbox
from mail_threads import series as posted
from scratch_git import git

from harness.base.errors import InputError
from harness.base.paths import CHECKOUT
from harness.jobs.nightly.plan import PLAIN, Cross, read_plan
from harness.jobs.nightly.toml import parse_seconds
from harness.kernel.patches.series import read_series

LEAST = '[kernels.six]\nsource = "debian:6.12"\n[groups.all]\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "plan.toml"
    path.write_text(text)
    return path


def test_the_least_plan_runs_everything_on_the_plain_kernel(tmp_path: Path) -> None:
    plan = read_plan(write(tmp_path, LEAST))

    assert plan.crosses == (Cross(("six",), (PLAIN,), (PLAIN,), ("default",), ("all",)),)
    assert (plan.budget, plan.groups["all"].tests) == (None, ())


def test_a_cross_takes_all_that_it_does_not_name(tmp_path: Path) -> None:
    (tmp_path / "fix.patch").touch()
    text = LEAST + '[series]\nfix = ["fix.patch"]\n[[cross]]\nflavours = ["plain", "kasan"]\n'

    (cross,) = read_plan(write(tmp_path, text)).crosses

    assert (cross.series, cross.flavours) == ((PLAIN, "fix"), (PLAIN, "kasan"))


def test_paths_start_at_the_plans_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "fix.patch").touch()
    path = write(tmp_path, LEAST + '[series]\nfix = ["fix.patch"]\n')
    monkeypatch.chdir("/")

    assert read_plan(path).series["fix"] == (tmp_path / "fix.patch",)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("budget = ", "is not TOML"),
        ("", "at least one"),
        ("budget = 8\n" + LEAST, "budget: expected a time"),
        ('budget = "8 days"\n' + LEAST, "'8 days' is not a time"),
        ('budgte = "8 h"\n' + LEAST, "'budgte' is unknown here. Known are: budget, cross"),
        ("[kernels.six]\n[groups.all]\n", "kernels.six: 'source' is missing"),
        ("kernels = 6\n[groups.all]\n", "kernels: expected a table, found 6"),
        (LEAST + "[[cross]]\nkernels = ['seven']\n", "unknown name 'seven'. Known are: six."),
        (LEAST + "[[cross]]\nkernels = 'six'\n", "cross number 1: kernels: expected a list"),
        (LEAST + "[[cross]]\nflavours = ['sweet']\n", "unknown kernel flavour 'sweet'"),
        (
            LEAST + "tier = 'weekly'\n",
            "groups.all: tier: expected one of default, selftest, nightly, all",
        ),
        (LEAST + "slots = 0\n", "slots: expected a whole number of 1 or more, found 0"),
        (LEAST + "slots = true\n", "slots: expected a whole number of 1 or more, found True"),
        (LEAST + "tests = [1]\n", "tests: expected a list of texts, found [1]"),
        (LEAST + "[series]\nfix = ['no.patch']\n", "no.patch does not exist"),
        (LEAST + "[series]\nplain = []\n", "'plain' means no series"),
    ],
)
def test_a_fault_is_named_by_its_place(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_plan(write(tmp_path, text))

    assert said in str(refused.value)
    assert "plan.toml" in str(refused.value)


def test_a_plan_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_plan(tmp_path / "plan.toml")


@pytest.mark.parametrize(
    ("text", "seconds"), [("45 s", 45), ("1.5h", 5400), ("1 h 30 min", 5400), (" 2 min ", 120)]
)
def test_times_are_written_as_people_do(text: str, seconds: float) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "8", "h", "8 hours", "-1 h", "1 h and more"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a time"):
        parse_seconds(text)


def test_the_plan_in_docs_can_be_read() -> None:
    assert read_plan(CHECKOUT / "docs/plan.toml").crosses


def test_a_series_of_a_plan_is_what_the_commands_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("harness.kernel.patches.origin.fetch", lambda _: mbox(*posted(2)))
    root = tiny_tree(tmp_path / "linux")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "base")
    (root / "README").write_text("changed\n")
    git(root, "commit", "-qam", "readme: change")
    (root / "a.patch").write_bytes(SLOTS_PATCH)
    path = root / "plan.toml"
    path.write_text(LEAST + "[series]\nall = ['v1-1@x', 'main~1..main', 'a.patch', 'kernel']\n")

    message, commits, patch, directory = read_plan(path).series["all"]

    assert len(read_series([message])) == 2
    assert [one.subject for one in read_series([commits])] == ["0001-readme-change.patch"]
    assert (patch, directory) == (root / "a.patch", root / "kernel")
