# SPDX-License-Identifier: Apache-2.0
"""Results of other programs are read as a run: JUnit, and the log of a kernel."""

from pathlib import Path

import pytest
from golden_logs import golden_log

from harness.base.result import Result
from harness.cli import main
from harness.results import Verdict, read_foreign, verdict_of

pytestmark = pytest.mark.usefixtures("cache")

JUNIT = """<testsuite>
<testcase classname="a.b" name="one" time="0.5"/>
<testcase classname="a.b" name="two"><failure message="1 != 2&#10;more">x</failure></testcase>
<testcase classname="a.b" name="three"><skipped message="no device"/></testcase>
<testcase classname="a.b" name="four"><error message="no disk"/></testcase>
</testsuite>"""

OOPS = """\
[    1.000000] Unable to handle kernel NULL pointer dereference at virtual address 0000000000000010
[    1.000000] Internal error: Oops: 0000000096000004 [#1] SMP
[    1.000000] pc : swiotlb_map+0x10/0x20
[    1.000000] Call trace:
[    1.000000]  swiotlb_map+0x10/0x20
[    1.000000] ---[ end trace 0000000000000000 ]---
"""

CALM = "[    1.000000] all well\n"


def test_junit_of_any_tests_is_read(tmp_path: Path) -> None:
    (tmp_path / "x.xml").write_text(JUNIT)

    tests = read_foreign(tmp_path / "x.xml").tests

    assert [one.result for one in tests] == [*(Result.PASS, Result.FAIL), Result.SKIP, Result.ERROR]
    assert [one.message for one in tests] == ["", "1 != 2", "no device", "no disk"]
    assert tests[0].test == "a/b.py::one"


@pytest.mark.parametrize(("text", "verdict"), [(OOPS, Verdict.BAD), (CALM, Verdict.GOOD)])
def test_a_kernels_log_is_read(tmp_path: Path, text: str, verdict: Verdict) -> None:
    (tmp_path / "dmesg.txt").write_text(text)

    assert verdict_of(read_foreign(tmp_path / "dmesg.txt")) is verdict


@pytest.mark.parametrize(
    ("name", "results"),
    [("oops", [Result.CRASH]), ("warn", [Result.FAIL]), ("clean-boot", [Result.PASS])],
)
def test_a_kernel_report_is_a_crash_only_if_the_kernel_ended(
    tmp_path: Path, name: str, results: list[Result]
) -> None:
    (tmp_path / "dmesg.txt").write_text("\n".join(golden_log(name).lines))

    assert [one.result for one in read_foreign(tmp_path / "dmesg.txt").tests] == results


def test_a_report_is_made_of_a_log(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "dmesg.txt").write_text(OOPS)

    assert main(["report", str(tmp_path / "dmesg.txt")]) == 1
    assert "swiotlb_map" in capsys.readouterr().out


def test_what_is_neither_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("all well\n")

    assert main(["report", str(tmp_path / "notes.txt")]) == 2
    assert "expected a run, JUnit XML or a kernel log" in capsys.readouterr().err
