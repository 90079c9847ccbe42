# SPDX-License-Identifier: Apache-2.0
"""Every report prints a violation as it is, with its addresses in hex and its commands."""

import html
import json
import re
import textwrap
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace

import kcidb_io
import pytest
from report_runs import base_run, case, violation

from harness.results import Case, Run
from harness.results.judge import Comparison, compare
from harness.results.render import junit, kcidb, ktap, mail, page, terminal_lines

BLOCK = str(violation())


def failed(*notices: str) -> Case:
    said = replace(case("test_x", "FAIL", "B5"), violations=(violation(),), notices=notices)
    return replace(said, message=BLOCK.partition("\n")[0])


def of_tests(*tests: Case) -> Run:
    return replace(base_run(), tests=tests)


SERIES = compare(of_tests(case("test_x", "PASS", "B5")), of_tests(failed()))

RENDERERS: dict[str, Callable[[Run | Comparison], str]] = {
    "terminal": lambda subject: "\n".join(terminal_lines(subject)),
    "mail": mail,
    "ktap": lambda subject: re.sub(r"^# ", "", ktap(subject), flags=re.MULTILINE),
    "junit": lambda subject: html.unescape(junit(subject)),
    "page": lambda subject: html.unescape(page(subject)),
}


@pytest.mark.parametrize("subject", [of_tests(failed()), SERIES], ids=["run", "comparison"])
@pytest.mark.parametrize("name", RENDERERS)
def test_a_violation_is_printed_as_it_is(name: str, subject: Run | Comparison) -> None:
    text = RENDERERS[name](subject)

    assert any(textwrap.indent(BLOCK, " " * indent) in text for indent in (0, 2, 4))
    assert "0x4f007000 slot 14 of pool restricted-dma@4f000000 [0x4f000000, 0x50000000)" in text
    assert 'reproduce  scripts/run --series=fix.patch -k "test_x"' in text


def test_a_junit_failure_has_the_first_line_as_message_and_the_whole_as_text() -> None:
    failure = ET.fromstring(junit(of_tests(failed()))).find("testsuite/testcase/failure")

    assert failure is not None
    assert failure.get("message") == BLOCK.partition("\n")[0]
    assert failure.text == BLOCK


def test_kcidb_has_the_violation_as_data_and_as_text() -> None:
    content = json.loads(json.dumps(kcidb(of_tests(failed("a notice")), "here")))

    kcidb_io.schema.LATEST.validate(content)
    misc = content["tests"][0]["misc"]
    assert [one["text"] for one in misc["violations"]] == [BLOCK]
    assert misc["violations"][0]["calls"] == list(violation().calls)
    assert misc["notices"] == ["a notice"]


def test_the_page_shows_it_in_a_pre() -> None:
    shown = page(of_tests(failed()))

    found = re.search(r'<pre class="violation">(.*?)</pre>', shown, re.DOTALL)
    assert found
    assert html.unescape(found[1]) == BLOCK


NOTICE = "Unexpected pass: finding odd-size did not reproduce on this kernel (docs/findings.md)."


@pytest.mark.parametrize("name", RENDERERS)
def test_an_unexpected_pass_is_a_notice_and_not_a_failure(name: str) -> None:
    known = replace(case("test_x", "KNOWN", "E6"), message="docs/findings.md: odd-size")
    passing = replace(case("test_x", "PASS", "E6"), notices=(NOTICE,))

    subject = compare(of_tests(known), of_tests(passing))

    text = " ".join(RENDERERS[name](subject).split())
    assert NOTICE in text
    if name != "junit":  # which has cases only
        assert "Findings that no longer show: odd-size." in text
    assert subject.verdict.exit_code == 0
