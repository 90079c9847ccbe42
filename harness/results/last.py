# SPDX-License-Identifier: Apache-2.0
"""The last result of every VM test, kept from run to run for ``harness properties``."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from filelock import FileLock

from harness.base.paths import cache_directory

NAME = "last-results.json"


@dataclass(frozen=True)
class LastResult:
    """How a test ended the last time it ran: a result's name, on which kernel release, when.

    *when* is the date and time in UTC, in ISO 8601.
    """

    result: str
    release: str
    when: str


def read_results() -> dict[str, LastResult]:
    """The last results by pytest's node id; empty before the first run."""
    path = cache_directory() / NAME
    if not path.is_file():
        return {}
    return {test: LastResult(**last) for test, last in json.loads(path.read_text()).items()}


def add_results(results: Mapping[str, LastResult]) -> None:
    """Put *results* in the place of the earlier ones of the same tests, in one step."""
    directory = cache_directory()
    with FileLock(directory / f"{NAME}.lock"):
        every = {**read_results(), **results}
        with NamedTemporaryFile("w", dir=directory, prefix=NAME, delete=False) as file:
            json.dump({test: asdict(last) for test, last in every.items()}, file)
        Path(file.name).replace(directory / NAME)
