# SPDX-License-Identifier: Apache-2.0
"""The budget of the cache: what ``HARNESS_CACHE_SIZE`` means, and what it is without it."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.base.cache import Cache
from harness.base.cache.budget import VARIABLE, cache_budget
from harness.base.errors import InputError
from harness.base.space import GIB, KIB, MIB, parse_size, size_text
from harness.cli import main


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    monkeypatch.delenv(VARIABLE, raising=False)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8G", 8 * GIB),
        ("500M", 500 * MIB),
        ("12345", 12345),
        ("0", 0),
        ("1.5 GiB", 3 * GIB // 2),
        ("2 gb", 2 * GIB),
        ("64k", 64 * KIB),
        ("1T", 1024 * GIB),
    ],
)
def test_a_size_is_read_as_people_write_it(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1", "8X", "1e9", "8 G B", "9" * 400, "8iB", "nan"])
def test_what_is_not_a_size_is_refused(text: str) -> None:
    assert parse_size(text) is None


@pytest.mark.parametrize(
    ("size", "text"),
    [(8 * GIB, "8.0 GiB"), (GIB - 1, "1023 MiB"), (1025, "2 KiB"), (1023, "1023 B"), (0, "0 KiB")],
)
def test_a_size_is_written_with_its_unit(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("free", "held", "budget"),
    [
        (10 * GIB, 5 * GIB, 5 * GIB),
        (90 * GIB, 0, 20 * GIB),
        (0, 9 * GIB, 3 * GIB),
    ],
)
def test_without_a_wish_it_is_a_third_of_free_and_held_or_20_gib(
    free: int, held: int, budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=free))

    assert cache_budget(held) == budget


def test_the_variable_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "8G")

    assert cache_budget(0) == 8 * GIB


def test_a_wrong_value_is_said_before_anything_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "much")

    with pytest.raises(InputError, match="HARNESS_CACHE_SIZE=much: expected a size such as 8G"):
        Cache("things").get("key", lambda _: pytest.fail("built"))


@pytest.mark.parametrize("command", [["kernel", "build"], ["cache"], ["cache", "prune"]])
def test_a_wrong_value_is_one_sentence_and_exit_code_2(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(VARIABLE, "8X")

    assert main(command) == 2

    said = "harness: HARNESS_CACHE_SIZE=8X: expected a size such as 8G, 500M, or a number of bytes"
    assert capsys.readouterr().err == f"{said}\n"
