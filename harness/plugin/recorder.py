# SPDX-License-Identifier: Apache-2.0
"""Write the run of a session as it goes, judge it at the end, and add it to the history.

With pytest-xdist the controller does it: it receives all reports. The session's exit code is the
verdict's (harness/results/verdict.py) if a VM test was chosen.
"""

import re
from collections.abc import Generator, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from harness.base.errors import HarnessError, HostError, explain
from harness.base.paths import SUITE
from harness.base.progress import say
from harness.base.properties import in_order
from harness.base.result import Result, worst
from harness.base.violation import violation_from
from harness.machine.binary import find_qemu
from harness.plugin.deadworker import memory_kills, reason_of_death
from harness.plugin.failures import VIOLATIONS
from harness.plugin.properties import BROKEN
from harness.plugin.properties import PROPERTY as ABOUT
from harness.plugin.results import BAD, NOTICE, RESULT, reported
from harness.plugin.session import kernel_key, runs_in_worker, wants_guests
from harness.results import (
    Case,
    Run,
    RunFile,
    Verdict,
    arguments_of,
    no_kernel,
    provenance,
    request_from,
    summary_lines,
    verdict_of,
)
from harness.results.case import MESSAGE_SIZE
from harness.results.request import choice_of
from harness.results.run import now

_CLASS = re.compile(r"^harness\.[\w.]+: ")
"""How pytest begins the message of an exception of ours: the result says the same."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option."""
    parser.getgroup("harness").addoption(
        "--run-file",
        type=Path,
        metavar="FILE",
        help="write the run to FILE, for a program, and not to the history",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Register the recorder, except in workers of pytest-xdist."""
    if not runs_in_worker(config) and not config.option.collectonly:
        config.pluginmanager.register(Recorder(config), "harness-recorder")


class Recorder:
    """The run of one session."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._memory_kills = memory_kills()
        self._file: RunFile | None = None
        self._cases: dict[str, Case] = {}
        self._open: dict[str, list[pytest.TestReport]] = {}
        self._expected: set[str] | None = None
        self._others_failed = False
        self._run: Run | None = None
        self._unrecorded: HostError | None = None

    @pytest.hookimpl(trylast=True)
    def pytest_sessionstart(self) -> None:
        """Create the file after the kernel was built."""
        if kernel_key in self._config.stash or self._config.getoption("--run-file"):
            run = self._begin()
            try:
                self._file = RunFile(self._path(run), run)
            except HostError as fault:
                say(explain(fault))
                pytest.exit("the run cannot be recorded", returncode=Verdict.NOT_JUDGED.exit_code)

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Store which tests will run."""
        if session.items:  # with pytest-xdist the workers collect
            self._expect(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Iterable[str]) -> None:
        """The same, with pytest-xdist."""
        self._expect(ids)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A test file that cannot be imported is an ERROR."""
        if report.failed and report.nodeid.startswith(SUITE):
            self._end(Case(report.nodeid, Result.ERROR, message=_last_line(report)))

    @pytest.hookimpl(optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str, report: Any) -> None:
        """A worker of pytest-xdist died in this test: that is an ERROR, with the reason."""
        report.user_properties.append((RESULT, Result.ERROR.name))
        report.longrepr = reason_of_death(report.node, self._memory_kills)
        report.when = "setup"  # pytest calls a failure outside the body an error
        self._open.setdefault(crashitem, [])
        report.harness_ended = True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Write a test to the file after its last phase."""
        if not report.nodeid.startswith(SUITE):
            self._others_failed |= report.failed
            return
        self._open.setdefault(report.nodeid, []).append(report)
        if report.when == "teardown" or getattr(report, "harness_ended", False):
            self._end(case_of(self._open.pop(report.nodeid)))

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the end, join the history, and let the verdict be the exit code."""
        if not self._cases and not self._open and self._file is None:
            return
        for reports in self._open.values():  # an interrupt came before their last phase
            if any(reported(one) in BAD for one in reports):
                self._end(case_of(reports))
        failed = session.exitstatus == pytest.ExitCode.INTERNAL_ERROR
        self._run = self._finish(self._is_complete() and not failed)
        verdict = verdict_of(self._run)
        if self._unrecorded is not None and verdict is Verdict.GOOD:
            verdict = Verdict.NOT_JUDGED
        if verdict is not Verdict.GOOD or not self._others_failed:
            session.exitstatus = verdict.exit_code

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> Generator[None, None, None]:
        """Print the results below all that pytest prints of single tests."""
        yield
        if self._run is not None and (self._run.tests or wants_guests(self._config)):
            for line in summary_lines(self._run):
                terminalreporter.write_line(line)
        if self._unrecorded is not None:
            terminalreporter.write_line(f"ERROR: {explain(self._unrecorded)}")

    def _begin(self) -> Run:
        request = request_from(self._config)
        kernel = self._config.stash.get(kernel_key, None)
        flavour = request.spec.flavour
        where = provenance(kernel, find_qemu(request.qemu), flavour) if kernel else no_kernel()
        return Run(where, now(), 0.0, choice_of(request), (), request=arguments_of(request))

    def _path(self, run: Run) -> Path:
        given: Path | None = self._config.getoption("--run-file")
        if given is not None:
            return given
        from harness.results.history import run_path  # noqa: PLC0415 - takes a third of a second

        return run_path(run.id)

    def _expect(self, tests: Iterable[str]) -> None:
        self._expected = {one for one in tests if one.startswith(SUITE)}

    def _is_complete(self) -> bool:
        return self._expected is not None and self._expected <= self._cases.keys()

    def _end(self, case: Case) -> None:
        self._cases[case.test] = case
        if self._file is not None:
            self._file.add(case)

    def _finish(self, complete: bool) -> Run:
        if self._file is None:  # VM tests that need no kernel
            request = request_from(self._config)
            tests = tuple(self._cases.values())
            return Run(no_kernel(), now(), 0.0, choice_of(request), tests, complete)
        run = self._file.end(complete)
        self._unrecorded = self._file.lost
        if self._config.getoption("--run-file") is None:
            self._join(run)
        self._file.close()
        return run

    def _join(self, run: Run) -> None:
        """Add the run, and those of sessions that were killed, to the history."""
        assert self._file is not None
        from harness.results.history import join_runs, open_history  # noqa: PLC0415 - as above

        try:
            history = open_history()
            if run.tests:
                history.add(run)
                self._unrecorded = None
            self._file.path.unlink(missing_ok=True)
        except HostError as fault:
            if self._unrecorded is None:
                self._unrecorded = HostError(
                    f"this run is not in the history, but in {self._file.path}, which the next run "
                    f"adds: {explain(fault)}"
                )
        except HarnessError as fault:
            say(f"cannot add this run to the history, it is in {self._file.path}: {explain(fault)}")
        else:
            try:
                join_runs(history)
            except HarnessError as fault:
                say(f"cannot add the runs of killed sessions to the history: {explain(fault)}")


def case_of(reports: list[pytest.TestReport]) -> Case:
    """How a test ended, from the reports of its phases."""
    results = [(result, one) for one in reports if (result := reported(one)) is not None]
    result = worst(result for result, _ in results) or Result.ERROR
    speaker = next((one for each, one in results if each is result), reports[-1])
    violations = [one for report in reports for one in getattr(report, VIOLATIONS, ())]
    return Case(
        test=speaker.nodeid,
        result=result,
        violated=in_order(_noted(reports, BROKEN)),
        message=_message(speaker),
        properties=in_order(_noted(reports, ABOUT)),
        seconds=round(sum(one.duration for one in reports), 3),
        artifacts=([*_noted(reports, "artifacts")] or [""])[-1],
        violations=tuple(map(violation_from, violations)),
        notices=tuple(dict.fromkeys(_noted(reports, NOTICE))),
    )


def _noted(reports: Iterable[pytest.TestReport], wanted: str) -> Iterator[str]:
    """The values of the reports' properties of that name."""
    for report in reports:
        yield from (str(value) for name, value in report.user_properties if name == wanted)


def _message(report: pytest.TestReport) -> str:
    """The first line of why a test ended as it did; empty if it passed."""
    if hasattr(report, "wasxfail"):
        text = str(report.wasxfail)
    elif isinstance(report.longrepr, tuple):  # file, line and reason of a skip
        text = report.longrepr[2].removeprefix("Skipped: ")
    else:
        crash = getattr(report.longrepr, "reprcrash", None)
        text = crash.message if crash else str(report.longrepr or "")
    return _CLASS.sub("", text.strip().partition("\n")[0])[:MESSAGE_SIZE]


def _last_line(report: pytest.CollectReport) -> str:
    """The last line of the traceback of a collection error."""
    return str(report.longrepr or "").strip().rpartition("\n")[2][:MESSAGE_SIZE]
