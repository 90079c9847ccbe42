# SPDX-License-Identifier: Apache-2.0
"""The subject of a mail: its tags say version, number and whether it is sent again."""

import re
from dataclasses import dataclass

_REPLY = re.compile(r"\s*(re|aw|sv|antw|fwd?)(\[\d+\])?\s*:\s*", re.IGNORECASE)
_TAG = re.compile(r"\s*\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\s*")
_NUMBER = re.compile(r"\b(\d{1,4})/(\d{1,4})\b")
_VERSION = re.compile(r"(?:\b|patch)v(\d{1,4})\b", re.IGNORECASE)
_RESEND = re.compile(r"\b(resend|resent|repost)\b", re.IGNORECASE)
_RESENT = re.compile(r"\s*\(?(resend|resent|repost)\)?\s*:?\s+(?=\[)", re.IGNORECASE)


@dataclass(frozen=True)
class SubjectTags:
    """The tags of a subject: ``[PATCH v2 3/5]`` is version 2, number 3 of 5.

    *version* is 1 if none is said. *resend*: the same version, sent again.
    """

    version: int = 1
    number: int | None = None
    total: int | None = None
    resend: bool = False


def read_subject(text: str) -> tuple[str, SubjectTags, bool]:
    """Return the subject without tags, the tags, and whether it begins with "Re:"."""
    rest, reply, tags = text, False, list[str]()
    resent = _RESENT.match(rest)
    rest = rest[resent.end() :] if resent else rest
    while True:
        if answer := _REPLY.match(rest):
            reply, rest = True, rest[answer.end() :]
        elif tag := _TAG.match(rest):
            tags.append(tag[1])
            rest = rest[tag.end() :]
        else:
            break
    words = " ".join(tags)
    number, version = _NUMBER.search(words), _VERSION.search(words)
    said = SubjectTags(
        version=int(version[1]) if version else 1,
        number=int(number[1]) if number else None,
        total=int(number[2]) if number else None,
        resend=bool(resent or _RESEND.search(words)),
    )
    return " ".join(rest.split()), said, reply
