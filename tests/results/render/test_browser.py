# SPDX-License-Identifier: Apache-2.0
"""The page of a report in a real browser: filters, phones, no scripts, no network."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Page, find_browser, open_browser
from report_runs import base_run, patched_run, write_artifacts

from harness.results.judge import compare
from harness.results.render import Inputs, artifacts_of, page

PHONE = 360

SHOWN = "Array.from(document.querySelectorAll('table.tests tbody tr')).filter(r => !r.hidden)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Page]:
    program = find_browser()
    assert program, "no Chromium here: sudo apt-get install chromium, or scripts/test"
    with open_browser(program) as opened:
        yield opened


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    runs = base_run(), patched_run(write_artifacts(folder / "artifacts"))
    durations = {runs[0].tests[0].test: [1.0, 2.0, 1.5]}
    given = Inputs(artifacts_of(runs), durations, ["swiotlb.c: 3 of 4 added lines ran"])
    path = folder / "report.html"
    path.write_text(page(compare(*runs), given))
    return path


def set_filter(browser: Page, name: str, value: str) -> list[str]:
    """Type or choose *value*, and return the states of the rows that are shown."""
    browser.value(
        f"{{ const field = document.forms[0].elements['{name}']; field.value = '{value}';"
        "field.dispatchEvent(new Event('input', {bubbles: true})); }"
    )
    states: list[str] = browser.value(f"{SHOWN}.map(row => row.dataset.state)")
    return states


def test_it_says_nothing_to_the_console_and_fetches_nothing(browser: Page, report: Path) -> None:
    browser.open(report)
    set_filter(browser, "text", "crash")

    assert browser.complaints() == []
    assert browser.requests() == [report.as_uri()]


@pytest.mark.parametrize(
    ("name", "value", "states"),
    [
        ("state", "fixed", ["fixed"]),
        ("property", "B12", ["broken", "broken"]),
        ("property", "B1", ["still passing"]),
        ("text", "NULL pointer", ["broken"]),
        ("text", "SPOILT", ["broken"]),
        ("text", "no such test", []),
    ],
)
def test_a_filter_leaves_what_fits(
    browser: Page, report: Path, name: str, value: str, states: list[str]
) -> None:
    browser.open(report)

    assert set_filter(browser, name, value) == states
    assert browser.value("document.querySelector('output').value") == f"{len(states)} of 8"


def test_filters_work_together_and_can_be_taken_back(browser: Page, report: Path) -> None:
    browser.open(report)
    set_filter(browser, "property", "B12")

    assert set_filter(browser, "state", "fixed") == []
    assert set_filter(browser, "property", "") == ["fixed"]
    assert len(set_filter(browser, "state", "")) == 8


def test_without_scripts_everything_is_there_but_the_filters(browser: Page, report: Path) -> None:
    browser.open(report, scripts=False)

    # an expression of the protocol is evaluated all the same
    assert browser.value(f"{SHOWN}.length") == 8
    assert browser.value("getComputedStyle(document.forms[0]).display") == "none"


@pytest.mark.parametrize("width", [PHONE, 1280])
def test_nothing_is_wider_than_the_screen(browser: Page, report: Path, width: int) -> None:
    browser.open(report, width)
    browser.value("document.querySelectorAll('details').forEach(one => { one.open = true; })")

    assert browser.value("document.documentElement.scrollWidth") <= width


def test_the_text_of_the_picture_can_be_read_on_a_phone(browser: Page, report: Path) -> None:
    browser.open(report, PHONE)
    browser.value("document.querySelectorAll('details').forEach(one => { one.open = true; })")

    smallest = browser.value(
        "Math.min(...Array.from(document.querySelectorAll('svg.memory text'))"
        ".map(one => one.getBoundingClientRect().height))"
    )
    assert smallest >= 8


def test_the_report_of_the_kernel_is_marked_in_its_log(browser: Page, report: Path) -> None:
    browser.open(report)

    marked = browser.value(
        "Array.from(document.querySelectorAll('pre mark')).map(one => one.textContent)"
    )
    assert len(marked) == 1
    assert "Unable to handle kernel NULL pointer" in marked[0]
    assert "Kernel panic" in marked[0]


def test_what_a_guest_wrote_is_text(browser: Page, report: Path) -> None:
    browser.open(report)

    assert browser.value("document.querySelectorAll('script').length") == 1
    assert browser.value("document.querySelectorAll('.why b').length") == 1  # the crash's title
