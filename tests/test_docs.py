# SPDX-License-Identifier: Apache-2.0
"""README, CONTRIBUTING and docs/ show what there is: files, tables, links, commands, options."""

import argparse
import re
import shlex
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.base.paths import CHECKOUT
from harness.cli import COMMANDS, make_parser
from harness.devices.attacks import Protection, attacks
from harness.jobs.mutants.mutant import read_mutants

PAGES = (CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md", *sorted(CHECKOUT.glob("docs/*.md")))
TEXTS = {str(page.relative_to(CHECKOUT)): page.read_text() for page in PAGES}

SHOWN_FILE = re.compile(r"`([\w/]+\.py)`:\n\n```python\n(.*?)```", re.DOTALL)
FENCED = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
INLINE = re.compile(r"`([^`]+)`")
COMMAND = re.compile(r"(?:^|\s)(?:\.venv/bin/)?(harness|scripts/\w+) (.*)")
PATH = re.compile(r"(harness|guest|dts|kernel-config|tests|scripts|docs|\.ci)/[\w./-]*")
OPTION = re.compile(r"^--[a-z][a-z-]*")

PYTEST, NIGHTLY = "scripts/run", "scripts/nightly"

PARSER = make_parser()

SHOWN = [found for text in TEXTS.values() for found in SHOWN_FILE.findall(text)]


@pytest.mark.parametrize(("path", "text"), SHOWN, ids=[path for path, _ in SHOWN])
def test_a_file_that_is_shown_is_that_file(path: str, text: str) -> None:
    assert (CHECKOUT / path).read_text() == text


def test_an_attack_a_rogue_and_a_fence_are_shown() -> None:
    assert [path.split("/")[2] for path, _ in SHOWN] == ["attacks", "rogue", "fence"]


@pytest.mark.parametrize("name", attacks())
def test_the_attack_matrix_has_every_attack_as_it_is_expected(name: str) -> None:
    attack = attacks()[name]
    cells = [attack.expected[p].value if p in attack.expected else "-" for p in Protection]

    rows = [line.split() for line in TEXTS["docs/attack-matrix.md"].splitlines()]

    assert [name, *attack.rogues, *cells] in rows


def test_the_numbers_of_mutants_are_those_of_the_folder() -> None:
    harmless = Counter(one.harmless for one in read_mutants())

    said = re.findall(r"\d+", TEXTS["docs/test-quality.md"].partition("`tests/mutants/` holds")[2])

    bugs, nothing = str(harmless[False]), str(harmless[True])
    assert said[:4] == [bugs, nothing, bugs, nothing]


def _anchors(text: str) -> set[str]:
    kept = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in HEADING.findall(text))
    return {one.replace(" ", "-") for one in kept}


@pytest.mark.parametrize("page", TEXTS)
def test_every_relative_link_leads_somewhere(page: str) -> None:
    for link in LINK.findall(FENCED.sub("", TEXTS[page])):
        if "://" in link:
            continue
        name, _, anchor = link.partition("#")
        target = (CHECKOUT / page).parent / name if name else CHECKOUT / page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target.read_text()), link


def test_every_page_of_docs_is_linked() -> None:
    linked = {
        (CHECKOUT / page).parent.joinpath(link.partition("#")[0]).resolve()
        for page, text in TEXTS.items()
        for link in LINK.findall(text)
    }

    assert {page for page in PAGES if page.parent == CHECKOUT / "docs"} <= linked


def _commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """The shown commands of indented blocks: the program and its arguments."""
    for line in FENCED.sub("", text).splitlines():
        found = COMMAND.search(line) if line.startswith("    ") else None
        if found and not line.startswith(("    #", "    git clone")):
            yield found[1], shlex.split(found[2], comments=True)


def _inline(text: str) -> Iterator[list[str]]:
    """The words of each piece of inline code, without the name of a program."""
    for code in INLINE.findall(FENCED.sub("", text).replace("\n", " ")):
        yield code.split()


def _subparser(words: list[str]) -> argparse.ArgumentParser:
    """The parser that reads the options of ``harness`` *words*."""
    parser = PARSER
    for word in words:
        below = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
        if not below:
            break
        parser = below[0].choices[word]
    return parser


def _options(parser: argparse.ArgumentParser) -> set[str]:
    options = set(parser._option_string_actions)
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            options.update(*map(_options, action.choices.values()))
    return options


def _pytest_options(config: pytest.Config) -> set[str]:
    parser = config._parser
    groups = (*parser._groups, parser._anonymous)
    return {name for group in groups for option in group.options for name in option.names()}


def _check_harness(words: list[str]) -> None:
    """Parse *words*, then look for abbreviations, which argparse takes as well."""
    try:
        PARSER.parse_args(words)
    except SystemExit as refused:
        raise AssertionError(f"harness {shlex.join(words)} is refused") from refused
    known = _subparser(words)._option_string_actions
    own = words[: words.index("--")] if "--" in words else words
    for word in own:
        if word.startswith("--"):
            assert word.partition("=")[0] in known, f"{word} of harness {shlex.join(words)}"


def _check_pytest(config: pytest.Config, words: list[str]) -> None:
    _, unknown = config._parser.parse_known_and_unknown_args(words)
    assert unknown == [], f"scripts/run {shlex.join(words)}"


SHOWN_COMMANDS = [
    pytest.param(program, words, id=f"{page}: {program} {shlex.join(words)}"[:100])
    for page, text in TEXTS.items()
    for program, words in _commands(text)
]


@pytest.mark.parametrize(("program", "words"), SHOWN_COMMANDS)
def test_a_shown_command_is_accepted(
    pytestconfig: pytest.Config, program: str, words: list[str]
) -> None:
    if program == "harness":
        _check_harness(words)
        return
    assert (CHECKOUT / program).is_file(), program
    if program == NIGHTLY:
        _check_harness(["nightly", *words])
    elif program == PYTEST:
        _check_pytest(pytestconfig, words)


@pytest.mark.parametrize("page", TEXTS)
def test_a_mentioned_command_or_option_exists(pytestconfig: pytest.Config, page: str) -> None:
    options = _options(PARSER) | _pytest_options(pytestconfig)
    for words in _inline(TEXTS[page]):
        program = Path(words[0]).name
        if program == "harness" and len(words) > 1:
            assert words[1] in COMMANDS, words
        if words[0].startswith("scripts/"):
            assert (CHECKOUT / words[0]).exists(), words
        if program in ("harness", "run", "nightly", "test") or OPTION.match(words[0]):
            for word in words:
                found = OPTION.match(word)
                assert found is None or found[0] in options, words


@pytest.mark.parametrize("page", TEXTS)
def test_a_mentioned_file_exists(page: str) -> None:
    mentioned = [words[0] for words in _inline(TEXTS[page]) if PATH.fullmatch(words[0])]

    assert [name for name in mentioned if not (CHECKOUT / name).exists()] == []
