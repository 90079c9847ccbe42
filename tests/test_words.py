# SPDX-License-Identifier: Apache-2.0
"""One name for one thing: words that text, options and identifiers of this project do not use."""

import re
import subprocess

import pytest

from harness.base.paths import CHECKOUT

INSTEAD = {
    "promise": "property",
    "promises": "properties",
    "promised": "guaranteed",
    "evidence": "artifacts",
    "can not": "cannot",
    "for ever": "forever",
    "what came of": "the result",
    "topple": "disable",
    "topples": "disables",
    "toppled": "disabled",
    "crew": "executor",
    "parcel": "payload",
    "parcels": "payloads",
    "sight": "resolver",
    "sights": "resolvers",
}
"""Each word that is not used, and the one that is."""

QUOTED = {
    "tests/test_words.py": "this table",
    "tests/mutants/": "kernel text",
    "tests/logs/": "kernel logs",
    "tests/series/full-pool/": "kernel text",
    "harness/results/history/migrations/versions/v0001.py": "a released migration never changes",
    "harness/results/history/migrations/versions/v0003.py": "it renames the columns",
    "tests/results/history/test_migrations.py": "names of the columns before",
}
"""Files and folders that may use the words, and why."""

BETWEEN = r"""[\s_#*/"']+"""
"""Between the words of a phrase: also a line break in a comment or a string; ids of findings, such
as virtio-rng-waits-for-ever, have hyphens."""

FORBIDDEN = {
    word: re.compile(rf"(?<![a-z]){word.replace(' ', BETWEEN)}(?![a-z])", re.IGNORECASE)
    for word in INSTEAD
}
HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    """The text of each file, with the words of its identifiers apart."""
    listed = subprocess.run(
        ["git", "-C", CHECKOUT, "ls-files", "-z"], capture_output=True, text=True, check=True
    )
    texts = {}
    for name in listed.stdout.strip("\0").split("\0"):
        path = CHECKOUT / name
        if path.is_file() and not name.startswith(tuple(QUOTED)):
            content = path.read_bytes()
            if b"\0" not in content:
                texts[name] = _separated(content.decode(errors="replace"))
    return texts


def _separated(text: str) -> str:
    return HUMP.sub(" ", text)


def _uses(word: str, text: str) -> list[str]:
    """Where a separated *text* uses *word*: the line number and the line."""
    starts = [found.start() for found in FORBIDDEN[word].finditer(text)]
    numbers = [text.count("\n", 0, start) for start in starts]
    return [f"{number + 1}: {text.splitlines()[number].strip()}" for number in numbers]


@pytest.mark.parametrize("word", INSTEAD)
def test_a_word_is_not_used_where_there_is_a_better_one(word: str, texts: dict[str, str]) -> None:
    found = [f"{name}:{use}" for name, text in texts.items() for use in _uses(word, text)]

    assert not found, f"'{INSTEAD[word]}' instead of '{word}':\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("evidence", "evidence_of(run)"),
        ("evidence", "class TestEvidence:"),
        ("can not", "# what it can\n    # not do"),
        ("for ever", '"it waits for "\n    "ever"'),
    ],
)
def test_a_word_is_found_in_identifiers_and_over_line_breaks(word: str, text: str) -> None:
    assert _uses(word, _separated(text))


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("for ever", "for every run"),
        ("for ever", "virtio-rng-waits-for-ever"),
        ("sight", "insight"),
    ],
)
def test_other_words_and_ids_of_findings_are_not_taken_for_it(word: str, text: str) -> None:
    assert not _uses(word, _separated(text))
