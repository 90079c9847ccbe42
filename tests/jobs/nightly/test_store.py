# SPDX-License-Identifier: Apache-2.0
"""Machines share what they build: by key, and by content when it is taken out."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.base.cache import Cache
from harness.base.cache.store import VARIABLE, Store
from harness.base.errors import HostError

KEY = "0123456789abcdef01234567"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Become the machine of that name, with a cache of its own."""
    monkeypatch.setenv(VARIABLE, str(tmp_path / "store"))
    return lambda name: monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / name))


def build(directory: Path) -> None:
    (directory / "Image").write_bytes(b"kernel")
    (directory / "sources").mkdir()
    (directory / "sources/fork.c").write_text("int children;\n")


def refuse(_: Path) -> None:
    raise AssertionError("it was built a second time")


def test_what_one_machine_built_the_other_takes(machine: Callable[[str], None]) -> None:
    machine("one")
    Cache("kernels").get(KEY, build)
    machine("two")

    entry = Cache("kernels").get(KEY, refuse)

    assert (entry / "Image").read_bytes() == b"kernel"
    assert (entry / "sources/fork.c").is_file()


def test_what_takes_no_time_to_build_is_not_shared(
    tmp_path: Path, machine: Callable[[str], None]
) -> None:
    machine("one")
    Cache("parked").get(KEY, build)

    assert not (tmp_path / "store").exists()


def test_what_was_here_before_the_store_is_shared_when_asked(
    machine: Callable[[str], None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine("one")
    monkeypatch.delenv(VARIABLE)
    Cache("kernels").get(KEY, build)
    monkeypatch.setenv(VARIABLE, str(tmp_path / "store"))

    Cache("kernels").share(KEY)

    machine("two")
    Cache("kernels").get(KEY, refuse)


def archive(store: Path) -> Path:
    (found,) = (store / "objects").iterdir()
    return found


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda store: archive(store).write_bytes(b"rubbish"), "hashes to"),
        (lambda store: archive(store).write_bytes(archive(store).read_bytes()[:-1]), "hashes to"),
        (lambda store: archive(store).unlink(), "continuing without it"),
        (lambda store: (store / "kernels" / KEY).write_text(""), "continuing without it"),
    ],
    ids=["other bytes", "cut short", "gone", "an empty pointer"],
)
def test_what_is_not_intact_is_said_built_anew_and_mended(
    tmp_path: Path,
    machine: Callable[[str], None],
    capfd: pytest.CaptureFixture[str],
    spoil: Callable[[Path], object],
    said: str,
) -> None:
    machine("one")
    Cache("kernels").get(KEY, build)
    spoil(tmp_path / "store")
    machine("two")

    Cache("kernels").get(KEY, build)

    assert said in capfd.readouterr().err
    machine("three")
    Cache("kernels").get(KEY, refuse)


def test_an_archive_whose_files_are_not_those_of_its_manifest_is_not_taken(
    tmp_path: Path, machine: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    machine("one")
    entry = Cache("kernels").get(KEY, build)
    (entry / "Image").write_bytes(b"another kernel")
    Store(str(tmp_path / "store")).publish("kernels", KEY, entry)
    machine("two")

    taken = Cache("kernels").get(KEY, build)

    assert (taken / "Image").read_bytes() == b"kernel"
    assert "Image has changed" in capfd.readouterr().err


def test_a_store_that_cannot_be_written_stops_nobody(
    tmp_path: Path, machine: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "store").write_text("a file is no directory")
    machine("one")

    assert Cache("kernels").get(KEY, build).is_dir()
    assert "continuing without it" in capfd.readouterr().err


def test_a_store_that_nobody_knows_how_to_reach_is_refused() -> None:
    with pytest.raises(HostError, match="cannot open the store carrier-pigeon://loft"):
        Store("carrier-pigeon://loft").has("kernels", KEY)


GET = """\
from harness.base.cache import Cache
entry = Cache("kernels").get("{key}", lambda directory: (directory / "Image").write_text("{text}"))
print((entry / "Image").read_text())
"""


def test_a_url_is_as_good_as_a_directory(
    tmp_path: Path, machine: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, f"file://{tmp_path}/harness")
    seen = []
    for name in ("one", "two"):
        machine(name)
        code = GET.format(key=KEY, text=f"built by {name}")
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
        seen.append(done.stdout.decode().strip())

    assert seen == ["built by one", "built by one"]
