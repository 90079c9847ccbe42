# SPDX-License-Identifier: Apache-2.0
"""The last lines of a run."""

from dataclasses import replace

from history_scene import run_on

from harness.results.summary import summary_lines


def test_a_run_without_tests_says_how_to_find_them() -> None:
    lines = list(summary_lines(replace(run_on(1), tests=())))

    assert lines[1:] == ["not judged: no test was chosen; 'harness properties' lists the tests"]
