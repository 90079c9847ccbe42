# SPDX-License-Identifier: Apache-2.0
"""What a series says that it needs: a base commit, other patches, a tree."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from harness.kernel.patches.diff import FIRST_DIFF
from harness.kernel.patches.mail import Mail

_BASE = re.compile(r"^base-commit: .*?([0-9a-f]{12,40})\b", re.MULTILINE | re.IGNORECASE)
_LINES = re.compile(
    r"^(?:prerequisite-(?:patch|message|change)-id|depends-on|requires): *\S.*$",
    re.MULTILINE | re.IGNORECASE,
)
_SENTENCE = re.compile(
    r"\b(depend(s|ing)? (up)?on|applies|apply (it|this|them|cleanly|on|to|against)|on top of|"
    r"based (on|off|upon)|rebased (on|onto)|requires? (the|this|that|a|series|patch)|prerequisite)",
    re.IGNORECASE,
)
_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z\[(])")
_SIGNATURE = re.compile(r"^-- ?$", re.MULTILINE)
_STAT = re.compile(
    r"^(?:---| \S.* \| +(?:\d+|Bin)\b.*| \d+ files? changed.*| (?:create|delete) mode .*)\n",
    re.MULTILINE,
)
"""What git writes between a message and its diff (git-format-patch(1))."""

_LINK = re.compile(r"^\s*(\[\d+\]:?\s*)?https?://\S+$")

MOST = 4
"""Sentences that are kept; a letter that has more of them speaks of something else."""


@dataclass(frozen=True)
class Prerequisites:
    """*base* is the id of a commit, or empty; *said* are lines and sentences of the author's."""

    base: str = ""
    said: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.base or self.said)

    def __str__(self) -> str:
        base = [f"base-commit: {self.base}"] if self.base else []
        return "; ".join([*base, *(f'"{one}"' for one in self.said)])


NONE = Prerequisites()


def needs_of(cover: Mail | None, patches: Sequence[Mail]) -> Prerequisites:
    """Read the cover letter and the first patch, where ``git format-patch --base`` writes it.

    Sentences count only in the letter, or in what is written below the ``---`` of a patch.
    """
    mails = [*([cover] if cover else []), *patches[:1]]
    whole = "\n".join(f"{mail.message}\n{_text(mail.diff)}" for mail in mails)
    base = _BASE.search(whole)
    lines = [" ".join(found[0].split()) for found in _LINES.finditer(whole)]
    letters = ([cover.message, _notes(cover)] if cover else []) + [_notes(one) for one in patches]
    sentences = (one for letter in letters for one in _sentences(letter))
    said = dict.fromkeys([*lines, *_first(sentences)])
    return Prerequisites(base[1] if base else "", tuple(said))


def _first(sentences: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(sentences))[:MOST]


def _notes(mail: Mail) -> str:
    """What the author wrote between the message and the diff."""
    found = FIRST_DIFF.search(mail.diff)
    return _STAT.sub("", _text(mail.diff[: found.start()] if found else mail.diff))


def _sentences(letter: str) -> Iterator[str]:
    """The sentences that name a prerequisite, each with the link that follows it."""
    letter = _LINES.sub("", _SIGNATURE.split(letter)[0])
    for paragraph in re.split(r"\n\s*\n", letter):
        links = [line.strip() for line in paragraph.splitlines() if _LINK.match(line)]
        rest = " ".join(line.strip() for line in paragraph.splitlines() if not _LINK.match(line))
        for one in _END.split(rest):
            if _SENTENCE.search(one):
                yield " ".join([one.strip(), *links])


def _text(data: bytes) -> str:
    return data.decode(errors="replace")
