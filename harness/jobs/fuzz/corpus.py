# SPDX-License-Identifier: Apache-2.0
"""Directories of cases: those worth mutating, and those that found something, with artifacts."""

import json
from collections.abc import Sequence
from pathlib import Path

from harness.base.cache import digest
from harness.base.errors import HostError, InputError
from harness.base.paths import cache_directory
from harness.jobs.fuzz.case import FuzzCase
from harness.jobs.fuzz.record import Record, Symptom

NAME_LENGTH = 12


class Corpus:
    """The cases in *directory*, the user's cache if None, a file each, named by their content.

    Raises HostError if the directory cannot be created, InputError for a file that is not a case.
    """

    def __init__(self, directory: Path | None = None) -> None:
        self.directory = directory or cache_directory() / "fuzz" / "corpus"
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise HostError(
                f"cannot create the corpus directory {self.directory}: {fault}"
            ) from fault
        self._cases = [load_case(path) for path in sorted(self.directory.glob("*.json"))]

    @property
    def cases(self) -> Sequence[FuzzCase]:
        """All of them; those that were there before are in the order of their names."""
        return tuple(self._cases)

    def add(self, case: FuzzCase) -> None:
        """Keep *case*, unless it is there."""
        if case not in self._cases:
            self._cases.append(case)
            (self.directory / f"{_name(case)}.json").write_text(case.text())


def save_finding(
    directory: Path, case: FuzzCase, symptom: Symptom, record: Record, kernel: str
) -> Path:
    """Write a case with what it shows on release *kernel* to a file that can be replayed."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{symptom.sort}-{_name(case)}.json"
    artifacts = {
        "seen": str(symptom),
        "kernel": kernel,
        "ended": list(record.steps),
        "console": list(record.console),
    }
    path.write_text(json.dumps({**case.to_json(), **artifacts}, indent=1) + "\n")
    return path


def load_case(path: Path) -> FuzzCase:
    """Read the case in a file of either kind; raises InputError."""
    try:
        data = json.loads(path.read_text())
    except (OSError, ValueError) as fault:
        raise InputError(f"{path} is not a case: {fault}") from fault
    return FuzzCase.from_json(data)


def _name(case: FuzzCase) -> str:
    return digest(case.text())[:NAME_LENGTH]
