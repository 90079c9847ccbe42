# SPDX-License-Identifier: Apache-2.0
"""The lint finds in each devicetree of tests/boards what its comments say."""

from pathlib import Path

import pytest
from lint_boards import KERNELS, board_files, comments, found, wanted


@pytest.mark.parametrize("path", board_files(), ids=lambda path: path.stem)
def test_the_lint_finds_what_the_comments_say(path: Path, pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("--rewrite-logs"):
        text = path.read_text()
        head, tail = text.split("/dts-v1/;", 1)
        kept = [line for line in head.splitlines() if not line.startswith(("// lint", "//   "))]
        path.write_text("\n".join(kept) + "\n" + comments(path) + "/dts-v1/;" + tail)
    said = wanted(path)

    assert set(said) == set(KERNELS)
    for kernel in KERNELS:
        assert found(path, kernel) == said[kernel], f"on Linux {kernel}"
