# SPDX-License-Identifier: Apache-2.0
"""The files of the harness that decide, beside the kernel and QEMU, how a test ends."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.base.paths import CHECKOUT

SUITE = "harness/suite"

SOURCES = (
    *("guest", "dts", SUITE, "harness/plugin", "harness/devices"),
    *("harness/observe", "harness/machine", "harness/base"),
)
"""What decides how a test ends."""


def source_files(folders: Sequence[str] = SOURCES) -> Iterator[Path]:
    """Every file of *folders*, in a fixed order."""
    for folder in folders:
        for file in sorted((CHECKOUT / folder).rglob("*")):
            if file.is_file() and file.suffix != ".pyc":
                yield file


def source_name(path: Path) -> str:
    """The file's path in the checkout."""
    return str(path.relative_to(CHECKOUT))


def is_test(name: str) -> bool:
    """Whether that is a file with tests of the suite."""
    return name.startswith(f"{SUITE}/") and Path(name).name.startswith("test_")
