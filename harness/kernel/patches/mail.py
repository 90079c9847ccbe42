# SPDX-License-Identifier: Apache-2.0
"""One mail of a series as data: subject tags, trailers, message and diff."""

import re
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.message import Message
from email.parser import BytesHeaderParser

from harness.kernel.patches.files import has_diff, is_mail, take_apart
from harness.kernel.source.git import git

_REPLY = re.compile(r"\s*(re|aw|fwd?)\s*:\s*", re.IGNORECASE)
_TAG = re.compile(r"\s*\[([^\]]*)\]\s*")
_NUMBER = re.compile(r"\b(\d+)/(\d+)\b")
_VERSION = re.compile(r"\bv(\d+)\b", re.IGNORECASE)
_FIXES = re.compile(r"^Fixes:[ \t]*(\S.*)$", re.MULTILINE)
_HEADER = re.compile(r"^(Author|Email|Subject): (.*)$", re.MULTILINE)


@dataclass(frozen=True)
class SubjectTags:
    """The tags of a subject: ``[PATCH v2 3/5]`` is version 2, number 3 of 5."""

    version: int = 1
    number: int | None = None
    total: int | None = None


@dataclass(frozen=True)
class Trailer:
    """A line such as ``Reviewed-by: somebody`` at the end of a message."""

    key: str
    value: str


@dataclass(frozen=True)
class Mail:
    """A mail or a bare diff; *name* says where it was read from.

    *subject* is without *tags*. *fixes* are the values of all ``Fixes:`` lines, also among
    *trailers*. *diff* is the diff with the text around it; empty of diffs if it is not a patch.
    """

    name: str
    subject: str
    author: str
    message_id: str
    tags: SubjectTags
    is_reply: bool
    message: str
    trailers: tuple[Trailer, ...]
    fixes: tuple[str, ...]
    diff: bytes

    @property
    def is_patch(self) -> bool:
        """Whether there is anything to apply."""
        return has_diff(self.diff)

    @property
    def is_cover(self) -> bool:
        """Whether it is number 0 of a series."""
        return self.tags.number == 0 and not self.is_patch


def parse_mail(name: str, text: bytes) -> Mail:
    """Read one mail, or a bare diff."""
    if not is_mail(text):
        return Mail(name, name, "", "", SubjectTags(), False, "", (), (), text)
    parts = take_apart(text)
    headers = BytesHeaderParser().parsebytes(text)
    found = dict(_HEADER.findall(parts.headers))
    tagged = found.get("Subject") or _decoded(headers, "Subject")
    subject, said, is_reply = read_subject(tagged)
    return Mail(
        name=name,
        subject=subject,
        author=_author(found),
        message_id=_decoded(headers, "Message-Id").strip("<> \t"),
        tags=said,
        is_reply=is_reply,
        message=parts.message.strip(),
        trailers=_trailers(parts.message),
        fixes=tuple(_FIXES.findall(parts.message)),
        diff=parts.diff,
    )


def read_subject(text: str) -> tuple[str, SubjectTags, bool]:
    """Return the subject without tags, the tags, and whether it begins with "Re:"."""
    rest, reply = _REPLY.subn("", text, count=1) if _REPLY.match(text) else (text, 0)
    tags = []
    while tag := _TAG.match(rest):
        tags.append(tag[1])
        rest = rest[tag.end() :]
    words = " ".join(tags)
    number, version = _NUMBER.search(words), _VERSION.search(words)
    said = SubjectTags(
        version=int(version[1]) if version else 1,
        number=int(number[1]) if number else None,
        total=int(number[2]) if number else None,
    )
    return " ".join(rest.split()), said, bool(reply)


def _author(found: dict[str, str]) -> str:
    return f"{found.get('Author', '')} <{found['Email']}>".strip() if found.get("Email") else ""


def _decoded(headers: Message, name: str) -> str:
    """A header with its encoded words decoded, and its folding undone."""
    return " ".join(str(make_header(decode_header(headers.get(name, "")))).split())


def _trailers(message: str) -> tuple[Trailer, ...]:
    words = ("-c", "trailer.separators=:", "interpret-trailers", "--parse", "--no-divider")
    lines = git(*words, data=message.encode()).decode(errors="replace").splitlines()
    pairs = (line.partition(": ") for line in lines)
    return tuple(Trailer(key, value) for key, _, value in pairs)
