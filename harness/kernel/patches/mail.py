# SPDX-License-Identifier: Apache-2.0
"""One mail of a series as data: subject tags, author, trailers, message and diff."""

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from email.utils import getaddresses, parseaddr
from pathlib import Path

from harness.kernel.patches.diff import has_diff
from harness.kernel.patches.mime import Attached, PlainMail, is_mail, read_plain
from harness.kernel.patches.subject import SubjectTags, read_subject
from harness.kernel.source.git import git

_FIXES = re.compile(r"^Fixes:[ \t]*(\S.*)$", re.MULTILINE)
_INFO = re.compile(r"^(Author|Email|Subject): (.*)$", re.MULTILINE)
_ID = re.compile(r"<([^<>\s]+)>")
_VIA = re.compile(r"[\"']?(.*?)[\"']?\s+via\s+\S.*", re.IGNORECASE)
_CARRIAGES = re.compile(rb"^\+\+\+ .*\r$", re.MULTILINE)

FLOWED = "the mail is format=flowed, which lets mail programs change lines"


@dataclass(frozen=True)
class Trailer:
    """A line such as ``Reviewed-by: somebody`` at the end of a message."""

    key: str
    value: str


@dataclass(frozen=True)
class Mail:
    """A mail or a bare diff; *name* says where it was read from.

    *subject* is without *tags*. *author* wrote the patch, *sender* is the address it came from.
    *parents* are the ids of the mails that it answers, the nearest first. *fixes* are the values of
    all ``Fixes:`` lines, also among *trailers*. *diff* is the diff with the text around it; empty
    of diffs if it is not a patch. *note* is what a person should know if it does not apply.
    *collected* are those of *trailers* that came in replies. *outer* is the name of the mail to
    which it is attached with others; *beside* are attached patches that do not count, because the
    mail's text has a diff.
    """

    name: str
    subject: str
    author: str
    sender: str
    message_id: str
    parents: tuple[str, ...]
    date: str
    tags: SubjectTags
    is_reply: bool
    message: str
    trailers: tuple[Trailer, ...]
    fixes: tuple[str, ...]
    diff: bytes
    note: str = ""
    collected: tuple[Trailer, ...] = ()
    outer: str = ""
    beside: tuple[str, ...] = ()

    @property
    def is_patch(self) -> bool:
        """Whether there is anything to apply."""
        return has_diff(self.diff) and not self.is_cover

    @property
    def is_cover(self) -> bool:
        """Whether it is number 0 of a series; its diff is the one between two versions."""
        return self.tags.number == 0 and bool(self.tags.total) and not self.is_reply


@dataclass(frozen=True)
class MailParts:
    """The parts of a mail by ``git mailinfo``: headers, message up to ``---``, the rest."""

    headers: Mapping[str, str]
    message: str
    diff: bytes


def parse_mails(name: str, text: bytes) -> list[Mail]:
    """Read one mail, or a bare diff. Patches attached to a mail are one Mail each."""
    if not is_mail(text):
        return [_bare(name, text)]
    plain = read_plain(text)
    outer = _parse(name, plain)
    if len(plain.attached) == 1:
        return [_attached(outer, plain.attached[0])]
    places = list(enumerate(plain.attached, 1))
    return [_attached(_part_of(outer, one, at, len(places)), one) for at, one in places] or [outer]


def _bare(name: str, text: bytes) -> Mail:
    if _CARRIAGES.search(text):
        text = text.replace(b"\r\n", b"\n")
    return Mail(name, name, "", "", "", (), "", SubjectTags(), False, "", (), (), text)


def _part_of(outer: Mail, attached: Attached, number: int, total: int) -> Mail:
    """What the attachment *number* of several takes from its mail."""
    place = attached.name or str(number)
    return replace(
        outer,
        name=f"{outer.name}:{place}",
        subject=f"{outer.subject} ({place})",
        message_id=f"{number}.{outer.message_id}" if outer.message_id else "",
        parents=(outer.message_id, *outer.parents),
        outer=outer.name,
        tags=replace(outer.tags, number=number, total=total),
    )


def _attached(outer: Mail, attached: Attached) -> Mail:
    """The patch that is attached: the mail *outer* with a diff, or a mail of its own."""
    if not is_mail(attached.content):
        return replace(outer, diff=attached.content)
    inner = _parse(outer.name, read_plain(attached.content))
    return replace(
        inner,
        author=inner.author or outer.author,
        sender=outer.sender,
        message_id=outer.message_id,
        parents=outer.parents,
        date=outer.date,
        tags=inner.tags if inner.tags.number is not None else outer.tags,
        is_reply=outer.is_reply,
        outer=outer.outer,
    )


def _parse(name: str, plain: PlainMail) -> Mail:
    parts = take_apart(plain)
    headers = plain.headers
    tagged = parts.headers.get("Subject") or headers.get("subject", "")
    subject, tags, is_reply = read_subject(tagged)
    trailers = trailers_of(parts.message)
    author = (parts.headers.get("Author", ""), parts.headers.get("Email", ""))
    sent = parseaddr(headers.get("from", ""))
    return Mail(
        name=name,
        subject=subject,
        author=_real(author, headers, trailers) if author[1] else headers.get("from", ""),
        sender=parseaddr(_real(sent, headers, trailers))[1].lower(),
        message_id=_first_id(headers.get("message-id", "")),
        parents=_parents(headers),
        date=headers.get("date", ""),
        tags=tags,
        is_reply=is_reply,
        message=parts.message.strip(),
        trailers=trailers,
        fixes=tuple(_FIXES.findall(parts.message)),
        diff=parts.diff,
        note=FLOWED if plain.flowed else "",
        beside=plain.beside,
    )


def take_apart(plain: PlainMail) -> MailParts:
    """Split a mail with ``git mailinfo``; the subject among its headers keeps its tags.

    A subject in the body is printed first, and the one that it replaces, without ``-k``, empty.
    """
    names = ("from", "subject", "date")
    lines = [f"{name.title()}: {plain.headers.get(name, '')}" for name in names]
    lines += ["Content-Type: text/plain; charset=UTF-8", "Content-Transfer-Encoding: 8bit"]
    text = "\n".join(lines).encode("utf-8", "surrogateescape") + b"\n\n" + plain.body
    with tempfile.TemporaryDirectory() as scratch:
        message, diff = Path(scratch) / "message", Path(scratch) / "diff"
        info = git("mailinfo", "-k", message, diff, data=text).decode(errors="replace")
        return MailParts(
            dict(reversed(_INFO.findall(info))),
            message.read_text(errors="replace"),
            diff.read_bytes(),
        )


def trailers_of(message: str) -> tuple[Trailer, ...]:
    """The trailers at the end of a commit message without its title, which may be all of it.

    git takes the first paragraph for the title (git-interpret-trailers(1)).
    """
    message = f"title\n\n{message}"
    words = ("-c", "trailer.separators=:", "interpret-trailers", "--parse", "--no-divider")
    lines = git(*words, data=message.encode(errors="replace")).decode(errors="replace").splitlines()
    pairs = (line.partition(": ") for line in lines)
    return tuple(Trailer(key, value) for key, _, value in pairs if value)


def _parents(headers: Mapping[str, str]) -> tuple[str, ...]:
    """The ids of the mails above, the nearest first (RFC 5322, 3.6.4)."""
    nearest = _ID.findall(headers.get("in-reply-to", ""))
    above = reversed(_ID.findall(headers.get("references", "")))
    return tuple(dict.fromkeys([*nearest, *above]))


def _first_id(value: str) -> str:
    found = _ID.search(value)
    return found[1] if found else value.strip("<> \t")


def _real(
    person: tuple[str, str], headers: Mapping[str, str], trailers: tuple[Trailer, ...]
) -> str:
    """The *person*, by name and address, that a mailing list stands for.

    A list that rewrites ``From`` to itself ("Dana via list <list@...>", against DMARC) leaves the
    author in X-Original-From, Reply-To, or only in a Signed-off-by.
    """
    name, address = person
    via = _VIA.fullmatch(name)
    if not via and address.lower() not in _lists(headers):
        return _person(name, address)
    found = [parseaddr(headers.get(one, "")) for one in ("x-original-from", "reply-to")]
    signed = [parseaddr(one.value) for one in trailers if one.key.lower() == "signed-off-by"]
    said = via[1] if via else name
    found += [one for one in signed if one[0].lower() == said.lower()]
    lists = {*_lists(headers), address.lower()}
    known = next((one for one in found if one[1] and one[1].lower() not in lists), None)
    return _person(known[0] or said, known[1]) if known else _person(name, address)


def _lists(headers: Mapping[str, str]) -> frozenset[str]:
    """The addresses of the mailing list that a mail came through."""
    found = getaddresses([headers.get("list-post", "").replace("mailto:", "")])
    return frozenset(address.lower() for _, address in found if address)


def _person(name: str, address: str) -> str:
    return f"{name} <{address}>" if name and name != address else f"<{address}>"
