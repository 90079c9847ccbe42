# SPDX-License-Identifier: Apache-2.0
"""The table of attacks: which cells there are, and that a wrong one is not to be overlooked."""

import argparse
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from harness.base.errors import InputError
from harness.cli import matrix
from harness.devices.attacks import Cell, Effect, MeasuredCell, Protection, attacks, cells
from harness.devices.attacks.soak import Leak
from harness.devices.attacks.table import matrix_json, matrix_page, matrix_table
from harness.devices.rogue import rogue_kinds
from harness.machine.binary import Qemu
from harness.machine.capabilities import FEATURES, Capabilities

QEMU = Qemu(Path("qemu"), (7, 2), "QEMU", Capabilities(frozenset(FEATURES)))
BUILT = SimpleNamespace(release="6.12.1")

RIGHT = MeasuredCell(
    Cell("read-secret", "edu", Protection.BOTH), Effect.STOPPED, "reads as <00>", 8, 0.5
)
WRONG = replace(RIGHT, effect=Effect.SUCCEEDED)
UNKNOWN = replace(RIGHT, effect=None, detail="QEMU died")


def shown(*results: MeasuredCell) -> str:
    console = Console(width=160, record=True, file=io.StringIO())
    console.print(matrix_table(results))
    return console.export_text()


def test_every_attack_has_a_cell_for_every_rogue_and_protection_it_is_for() -> None:
    wanted = {
        (name, rogue, protection)
        for name, attack in attacks().items()
        for rogue in attack.rogues
        for protection in attack.expected
        if protection is not Protection.IOMMU or rogue_kinds()[rogue].behind_iommu
    }

    assert {(cell.attack, cell.rogue, cell.protection) for cell in cells()} == wanted


@pytest.mark.parametrize("name", attacks())
def test_an_attack_that_is_not_for_every_case_says_why(name: str) -> None:
    attack = attacks()[name]
    everything = set(attack.rogues) >= {"edu", "nvme", "rng"} and len(attack.expected) == len(
        Protection
    )

    assert everything or attack.unless


@pytest.mark.parametrize("name", attacks())
def test_every_attack_fails_somewhere_or_succeeds_somewhere_else(name: str) -> None:
    """Its own control; but two are stopped, by a fence or a driver, wherever they make sense."""
    effects = set(attacks()[name].expected.values())

    assert len(effects) > 1 or name in ("firmware-tables", "rewrite-descriptors")


def test_a_glob_chooses_attacks_and_a_wrong_one_is_told() -> None:
    assert {cell.attack for cell in cells(["read-s*"])} == {"read-secret", "read-stale"}
    with pytest.raises(InputError, match="unknown attack 'reed'"):
        cells(["reed"])


def test_a_cell_that_is_not_as_expected_says_what_was() -> None:
    assert "stopped" in shown(RIGHT)
    assert "succeeded, not stopped" in shown(WRONG)
    assert "error, not stopped" in shown(UNKNOWN)


@pytest.mark.parametrize(("result", "good"), [(RIGHT, True), (WRONG, False), (UNKNOWN, False)])
def test_programs_are_told_whether_all_is_as_expected(result: MeasuredCell, good: bool) -> None:
    report = json.loads(json.dumps(matrix_json([result], "6.12.1")))

    assert report["as_expected"] is good
    assert report["cells"][0]["detail"] == result.detail


def test_the_page_escapes_what_it_shows_and_marks_wrong_cells() -> None:
    assert "reads as &lt;00&gt;" in matrix_page([RIGHT], "6.12.1")
    assert 'class="wrong"' in matrix_page([WRONG], "6.12.1")


@pytest.fixture
def arguments(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> argparse.Namespace:
    monkeypatch.setattr(matrix, "kernel_of", lambda _: (QEMU, BUILT, None))
    parser = argparse.ArgumentParser()
    matrix.add_parser(parser.add_subparsers())
    return parser.parse_args(["matrix", "read-secret", f"--json={tmp_path / 'cells.json'}"])


def test_the_cells_of_a_rogue_that_qemu_lacks_are_left_out(
    arguments: argparse.Namespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Cell] = []
    said: list[str] = []

    def run_cells(_: object, wanted: list[Cell], *__: object) -> Iterator[MeasuredCell]:
        tried.extend(wanted)
        return iter([])

    bare = replace(QEMU, capabilities=Capabilities(frozenset(FEATURES) - {"nvme"}))
    monkeypatch.setattr(matrix, "kernel_of", lambda _: (bare, BUILT, None))
    monkeypatch.setattr(matrix, "run_cells", run_cells)
    monkeypatch.setattr(matrix, "say", said.append)

    matrix.run(arguments)

    assert {cell.rogue for cell in tried} >= {"edu"}
    assert {cell.rogue for cell in tried}.isdisjoint({"nvme"})
    assert said == ["qemu has no device 'nvme': its cells are left out"]


@pytest.mark.parametrize(("result", "code"), [(RIGHT, 0), (WRONG, 1), (UNKNOWN, 1)])
def test_the_exit_code_says_whether_all_is_as_expected(
    arguments: argparse.Namespace,
    monkeypatch: pytest.MonkeyPatch,
    result: MeasuredCell,
    code: int,
) -> None:
    monkeypatch.setattr(matrix, "run_cells", lambda *_: iter([result]))

    assert matrix.run(arguments) == code
    assert json.loads(arguments.json.read_text())["kernel"] == "6.12.1"


@pytest.mark.parametrize(
    ("leak", "grew"),
    [
        (Leak("open files", 10, 10), False),
        (Leak("open files", 10, 11), True),
        (Leak("memory", 10, 19, allowed=10), False),
        (Leak("memory", 10, 21, allowed=10), True),
    ],
)
def test_growth_beyond_what_is_allowed_is_a_leak(leak: Leak, grew: bool) -> None:
    assert leak.grew is grew
