# SPDX-License-Identifier: Apache-2.0
"""Reports for other programs and for mails say what the runs say."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import kcidb_io
import pytest
from report_runs import base_run, case, patched_run, patched_with, write_artifacts

from harness.base.errors import InputError
from harness.cli import main
from harness.results import Case, Run, read_cases, save_run
from harness.results.history import open_history
from harness.results.judge import compare
from harness.results.render import artifacts_of, junit, kcidb, mail
from harness.results.render.kcidb import test_path as path_of

STATUS = {
    "PASS": "PASS",
    "FAIL": "FAIL",
    "CRASH": "FAIL",
    "HANG": "FAIL",
    "KNOWN": "FAIL",
    "ERROR": "ERROR",
    "SKIP": "SKIP",
    "NOT_JUDGED": "MISS",
}


def of_tests(*tests: Case) -> Run:
    return replace(base_run(), tests=tests)


@pytest.fixture
def kept(tmp_path: Path) -> str:
    return write_artifacts(tmp_path / "artifacts")


def test_kcidb_takes_what_is_written(kept: str) -> None:
    runs = [base_run(), patched_run(kept)]

    content = json.loads(json.dumps(kcidb(compare(*runs), "here", artifacts_of(runs))))

    kcidb_io.schema.LATEST.validate(content)
    assert content["version"] == {
        "major": kcidb_io.schema.LATEST.major,
        "minor": kcidb_io.schema.LATEST.minor,
    }
    assert len(content["checkouts"]) == len(content["builds"]) == 2
    assert {test["build_id"] for test in content["tests"]} == {
        build["id"] for build in content["builds"]
    }


@pytest.mark.parametrize("result", STATUS)
def test_each_result_has_its_status(result: str) -> None:
    (test,) = kcidb(of_tests(case("test_x", result)), "here")["tests"]

    assert test["status"] == STATUS[result]
    assert test["misc"]["result"] == result


def test_a_test_that_an_ended_run_did_not_reach_is_missed() -> None:
    whole = of_tests(case("test_a", "PASS"), case("test_b", "PASS"))
    cut = replace(whole, id="cut", tests=whole.tests[:1], complete=False)

    tests = kcidb(compare(whole, cut), "here")["tests"]

    missed = [test for test in tests if test["status"] == "MISS"]
    assert [test["comment"] for test in missed] == [whole.tests[1].test]
    assert len({test["id"] for test in tests}) == 4


def test_a_known_failure_is_an_incident_of_its_issue() -> None:
    content = kcidb(of_tests(case("test_a", "KNOWN", "E6")), "here")

    (issue,), (incident,), (test,) = (content[x] for x in ("issues", "incidents", "tests"))
    assert (incident["issue_id"], incident["test_id"]) == (issue["id"], test["id"])


def test_what_the_kernel_reported_is_the_excerpt_of_the_log(kept: str) -> None:
    run = patched_run(kept)

    tests = kcidb(run, "here", artifacts_of([run]))["tests"]

    (excerpt,) = [test["log_excerpt"] for test in tests if "log_excerpt" in test]
    assert excerpt.startswith("[    1.194649] Unable to handle kernel NULL pointer")


@pytest.mark.parametrize("origin", ["", "With Space", "UPPER", "a:b"])
def test_an_origin_that_kcidb_does_not_take_is_refused(origin: str) -> None:
    with pytest.raises(InputError, match="origin"):
        kcidb(base_run(), origin)


@pytest.mark.parametrize(
    ("test", "path"),
    [
        ("harness/suite/test_a.py::test_b", "restricted_dma.test_a.test_b"),
        ("harness/suite/test_a.py::test_b[1 MiB-a/b]", "restricted_dma.test_a.test_b.1_MiB-a_b"),
        ("harness/suite/test_a.py::test_b[.]", "restricted_dma.test_a.test_b"),
    ],
)
def test_a_test_has_its_place_in_the_tree(test: str, path: str) -> None:
    assert path_of(test) == path


def test_junit_gives_back_every_outcome(tmp_path: Path, kept: str) -> None:
    run = patched_run(kept)
    path = tmp_path / "junit.xml"

    path.write_text(junit(run))

    assert read_cases(path) == list(run.tests)


def test_junit_says_where_a_run_comes_from() -> None:
    suite = ET.fromstring(junit(patched_run())).find("testsuite")

    assert suite is not None
    found = [(one.get("name"), one.get("value")) for one in suite.findall("properties/property")]
    assert found == [
        ("kernel.release", "6.12.117"),
        ("kernel.build-id", "7f9daded1cebe1eb3ed2e86dd073449d9b56f787"),
        ("kernel.key", "c0ffee2"),
        ("kernel.source", "debian linux-source-6.12 6.12.117-1~deb12u1"),
        ("series.patch", "0001-one.patch"),
        ("series.patch", "0002-two.patch"),
        ("config.hash", "9c1f2ab34d56"),
        ("config.flavour", ""),
        ("compiler", "aarch64-linux-gnu-gcc 12.2.0"),
        ("qemu", "QEMU emulator version 7.2.22"),
        ("harness", "v1-3-gabc"),
        ("host", "host"),
        ("complete", "true"),
    ]
    counted = [suite.get(name) for name in ("tests", "failures", "errors", "skipped")]
    assert counted == ["8", "3", "1", "2"]


def test_junit_holds_what_xml_cannot() -> None:
    outcome = replace(case("test_a", "FAIL"), message="a\x1b[0m\x00b")

    assert ET.fromstring(junit(of_tests(outcome))) is not None


def test_only_a_longer_word_makes_a_line_of_a_mail_longer_than_72_columns(
    kept: str,
) -> None:
    long = case("test_with_a_very_long_name_that_goes_on_and_on[" + "x" * 90 + "]", "FAIL", "B1")
    talkative = replace(case("test_b", "FAIL"), message="o " * 100)
    run = patched_run(kept)
    run = replace(run, tests=(*run.tests, long, talkative))
    run = replace(run, provenance=patched_with("a " * 100))

    text = mail(run, artifacts_of([run]))

    lines = [line.strip() for line in text.splitlines() if len(line) > 72]
    assert lines == ["[" + "x" * 90 + "]"]
    assert text.isascii()


def test_a_mail_names_what_broke_by_its_crash_and_what_is_not_the_series_fault(kept: str) -> None:
    run = patched_run(kept)

    text = mail(compare(base_run(), run), artifacts_of([run]), "A <a@b>")

    broken, _, rest = text.partition("Fixed by this series:")
    assert "CRASH test_crash (B12)\n    oops: NULL pointer dereference in strlen" in broken
    assert "test_mended" in rest
    failing = text.partition("(not the fault of this series):")[2]
    assert "test_bad" in failing
    assert "test_known" not in text
    assert "Known to fail on such kernels: 1" in text
    assert "Tested-by" not in text


@pytest.mark.parametrize(
    ("results", "tagged"),
    [
        (["PASS", "KNOWN", "SKIP"], True),
        (["PASS", "FAIL"], False),
        (["PASS", "ERROR"], False),
        ([], False),
    ],
)
def test_only_a_run_in_which_all_passed_may_be_tagged(results: list[str], tagged: bool) -> None:
    run = of_tests(*(case(f"test_{number}", one) for number, one in enumerate(results)))

    assert mail(run, tester="A <a@b>").endswith("\nTested-by: A <a@b>\n") is tagged


@pytest.mark.parametrize(
    "choice",
    [
        ("-k=B1", "harness/suite"),
        ("--property=B1", "harness/suite"),
        ("--deselect=harness/suite/test_a.py", "harness/suite"),
        ("harness/suite/properties/test_sync.py::test_a",),
        (),  # results of another program
    ],
)
def test_a_run_of_chosen_tests_is_never_tagged(choice: tuple[str, ...]) -> None:
    run = replace(of_tests(case("test_a", "PASS")), words=("--tier=default", *choice))

    assert "Tested-by" not in mail(run, tester="A <a@b>")
    assert "Tested-by" not in mail(compare(of_tests(case("test_a", "PASS")), run), tester="A <a@b>")


def test_a_series_that_breaks_nothing_may_be_tagged_though_something_fails_on_both() -> None:
    run = of_tests(case("test_a", "PASS"), case("test_b", "FAIL"))

    assert "Tested-by: A <a@b>" in mail(compare(run, run), tester="A <a@b>")


def test_the_command_writes_all_formats_and_says_whether_all_is_good(
    tmp_path: Path, kept: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    base, series = tmp_path / "base.json", tmp_path / "series.json"
    save_run(base_run(), base)
    save_run(patched_run(kept), series)
    written = [tmp_path / f"report.{name}" for name in ("html", "junit", "ktap", "kcidb")]
    options = [f"--{path.suffix[1:]}={path}" for path in written]

    code = main(["report", str(base), str(series), *options, "--mail=-"])

    said = capsys.readouterr().out
    assert code == 1
    assert all(path.stat().st_size for path in written)
    assert (
        "2 broken (B12), 1 fixed, 1 not judged, 1 still failing, 1 known, 1 still passing" in said
    )
    assert "Broken by this series:" in said


def test_the_command_says_what_a_file_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database = f"--database=sqlite:///{tmp_path}/history"
    (tmp_path / "odd.json").write_text("[]")

    assert main(["report", str(tmp_path / "odd.json"), database]) == 2
    assert "is not a run of the suite" in capsys.readouterr().err
    assert main(["report", str(tmp_path / "none.json"), database]) == 2
    assert "no run's id begins with" in capsys.readouterr().err


def test_a_run_of_the_history_is_reported_by_its_id(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    url = f"sqlite:///{tmp_path}/history"
    run = of_tests(case("test_a", "PASS", "B1"))
    open_history(url).add(run)

    assert main(["report", run.id[:8], f"--database={url}"]) == 0
    assert "1 test passed; nothing is broken" in capsys.readouterr().out
