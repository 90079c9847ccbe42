# SPDX-License-Identifier: Apache-2.0
"""``harness history`` answers in tables and in JSON, and says what to do about wrong input."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from history_scene import OTHER, TEST, run_on

from harness.cli import main
from harness.results import Run, save_run
from harness.results.history import open_history

Ask = Callable[..., str]

RUNS = (run_on(1), run_on(2, "FAIL"), run_on(3, "FAIL", series=("a.patch",), kernel_key="key2"))


@pytest.fixture
def ask(url: str, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Ask a question of a history of three runs; returns what was printed."""
    history = open_history(url)
    for run in RUNS:
        history.add(run)

    def ask(*words: str) -> str:
        assert main(["history", *words, "--database", url]) == 0
        return capsys.readouterr().out

    return ask


@pytest.fixture
def wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Ask:
    """Ask something that makes no sense of an empty history; returns the complaint."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))

    def ask(*words: str) -> str:
        assert main(["history", *words]) == 2
        return capsys.readouterr().err

    return ask


def data(text: str) -> Any:
    return json.loads(text)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["since", "test_b"], [TEST, "2026-11-02 00:00", "2026-11-01 00:00", "1 of 2", "a.patch"]),
        (["changes", "test_b"], ["fails since 2026-11-03 00:00", "series", "a.patch"]),
        (["flaky"], [TEST, "1 of 2", "FAIL 1 PASS 1", "6.12.117 key1"]),
        (["times"], [TEST, "2.00", "1.00", "3.00", OTHER]),
        (["runs"], ["2026-11-03 00:00", "FAIL 1 PASS 1", "PASS 2", "a.patch", "100"]),
        (["runs", "-n", "1"], ["2026-11-03 00:00"]),
        (["show", RUNS[2].id], [RUNS[2].id, "a.patch", "gcc 12", TEST, "one"]),
    ],
    ids=lambda value: value[0] if value[0] in "since changes flaky times runs show" else "",
)
def test_an_answer_is_a_table(ask: Ask, words: list[str], told: list[str]) -> None:
    said = ask(*words)

    assert [one for one in told if one not in said] == []


def test_the_same_answers_come_as_json(ask: Ask) -> None:
    (since, alone) = data(ask("since", "test_b", "--json"))[::-1]
    (flaky,) = data(ask("flaky", "--json"))
    runs = data(ask("runs", "--json"))

    assert since["first_bad"]["head"]["id"] == RUNS[1].id
    assert (alone["last_good"], alone["track"]["series"]) == (None, ["a.patch"])
    assert flaky["results"] == {"FAIL": 1, "PASS": 1}
    assert [one["head"]["id"] for one in runs] == [run.id for run in RUNS[::-1]]


def test_what_changed_and_how_long_it_takes_come_as_json(ask: Ask) -> None:
    fields = [
        [one["field"] for one in change["differences"]]
        for change in data(ask("changes", "test_b", "--json"))
    ]
    times = {one["test"]: one["median"] for one in data(ask("times", "--json"))}

    assert fields == [[], ["series", "kernel_key"]]
    assert times == {TEST: 2.0, OTHER: 0.5}


def test_a_run_is_shown_as_the_json_that_can_be_added(
    ask: Ask, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run.json"
    file.write_text(ask("show", RUNS[0].id, "--json"))
    other = ["--database", f"sqlite:///{tmp_path}/other.sqlite"]

    assert main(["history", "add", str(file), *other]) == 0
    assert "added" in capsys.readouterr().out
    assert main(["history", "show", "0", "--json", *other]) == 0
    assert capsys.readouterr().out == file.read_text()


def test_a_file_that_was_added_before_is_not_added_again(ask: Ask, tmp_path: Path) -> None:
    new: Run = run_on(4)
    for name, run in (("old", RUNS[0]), ("new", new)):
        save_run(run, tmp_path / name)

    said = ask("add", str(tmp_path / "old"), str(tmp_path / "new"))

    first, second = said.splitlines()
    assert first.endswith(f"run {RUNS[0].id} already present")
    assert second.endswith(f"run {new.id} added")


def test_nothing_flaky_is_an_answer_too(ask: Ask) -> None:
    assert ask("flaky", "test_c") == "no test has different results on the same kernel\n"


def test_without_a_database_the_one_in_the_cache_directory_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))

    assert main(["history", "runs"]) == 0

    assert "harness history add FILE" in capsys.readouterr().out
    assert (tmp_path / "history.sqlite").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["since", "test_x"], "'harness history add FILE' adds a run"),
        (["show", "12"], "'harness history runs' lists them"),
        (["runs", "-n", "0"], "must be 1 or more, not 0"),
        (["add", "/no/such/file"], "/no/such/file is not a run of the suite: FileNotFoundError"),
        (["add", __file__], "Expected a file that a run of the suite"),
        (["runs", "--database", "here"], "Expected sqlite:////absolute"),
        (["runs", "--database", "mysql://a/b"], "Expected sqlite:////absolute"),
        (["runs", "--database", "sqlite://"], "names no file"),
        (["runs", "--database", "sqlite:////no/such/place"], "create it, or name another"),
        (["runs", "--database", f"sqlite:///{__file__}"], "is not an SQLite database"),
        (["runs", "--database", "postgresql+psycopg://u:secret@/d?host=/none"], "accepts you"),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, list) else "",
)
def test_wrong_input_is_answered_with_what_to_do(wrong: Ask, words: list[str], said: str) -> None:
    complaint = wrong(*words)

    assert complaint.startswith("harness: ")
    assert said in complaint
    assert "secret" not in complaint
