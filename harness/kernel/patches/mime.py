# SPDX-License-Identifier: Apache-2.0
"""A mail as plain text: encodings, character sets, attachments and flowed lines are undone."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email import message_from_bytes
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message

from harness.kernel.patches.diff import has_diff
from harness.kernel.patches.unpack import unpacked

_FIELD = re.compile(rb"[!-9;-~]+:")
_HEADS = re.compile(rb"^(subject|from|date|message-id):", re.IGNORECASE | re.MULTILINE)
_BEGIN = b"-----BEGIN PGP SIGNED MESSAGE-----\n"
_SIGNATURE = b"\n-----BEGIN PGP SIGNATURE-----\n"
_END = b"\n-----END PGP SIGNATURE-----"
_DASHED = re.compile(rb"^- ", re.MULTILINE)
_OUTSIDE = re.compile(rb"(--- |diff --git |Index: )")


@dataclass(frozen=True)
class Attached:
    """A patch that is attached to a mail: its file name, and a diff or a whole mail."""

    name: str
    content: bytes


@dataclass(frozen=True)
class PlainMail:
    """Decoded headers by lower-case name, the body in UTF-8, and the attached patches.

    *beside* are the names of attached patches that do not count: the body has a diff itself.
    *flowed*: the mail says ``format=flowed`` (RFC 3676), so its lines may have been changed.
    """

    headers: Mapping[str, str]
    body: bytes
    attached: tuple[Attached, ...] = ()
    flowed: bool = False
    beside: tuple[str, ...] = ()


def is_mailbox(text: bytes) -> bool:
    """Whether *text* begins with the ``From`` line of a mailbox."""
    return text.startswith(b"From ")


def is_mail(text: bytes) -> bool:
    """Whether *text* is a mail or a mailbox, and not a bare diff.

    A mail begins with header fields (RFC 5322, 2.2: any printable name, a colon, no blank needed),
    one of which says what, who, when or which message.
    """
    if is_mailbox(text):
        return True
    if not _FIELD.match(text) or _OUTSIDE.match(text):
        return False
    return _HEADS.search(_header_block(text)) is not None


def read_plain(text: bytes) -> PlainMail:
    """Decode a mail. What cannot be decoded is kept as it is."""
    if is_mailbox(text):
        text = text.partition(b"\n")[2]
    block = _header_block(text)
    mail = message_from_bytes(_mended(block) + b"\n\n" + text[len(block) :].lstrip(b"\r\n"))
    headers: dict[str, str] = {}
    for name, value in mail.raw_items():
        headers.setdefault(name.lower(), decoded(str(value)))
    leaves = [leaf for leaf in _leaves(mail) if leaf.text]
    body = next((leaf for leaf in leaves if not leaf.attachment and not leaf.html), None)
    rest = [leaf for leaf in leaves if leaf is not body and not leaf.html and has_diff(leaf.text)]
    attached = tuple(Attached(leaf.name, leaf.text) for leaf in rest)
    if body is None:
        return PlainMail(headers, b"", attached)
    if not has_diff(body.text):
        return PlainMail(headers, body.text, attached, body.flowed)
    beside = tuple(one.name or "attachment" for one in attached)
    return PlainMail(headers, body.text, (), body.flowed, beside)


def decoded(value: str) -> str:
    """A header with its encoded words decoded and its folding undone; raw if that fails."""
    plain = " ".join(_text(value.encode("utf-8", "surrogateescape")).split())
    try:
        return " ".join(str(make_header(decode_header(plain))).split())
    except (MessageError, LookupError, ValueError):
        return plain


@dataclass(frozen=True)
class _Leaf:
    """One part of a mail without parts of its own."""

    name: str
    text: bytes
    attachment: bool
    html: bool
    flowed: bool


def _leaves(part: Message) -> Iterator[_Leaf]:
    inner = part.get_payload()
    if not isinstance(inner, list):
        yield _leaf(part)
        return
    for one in inner:
        if not isinstance(one, Message):
            continue
        if part.get_content_maintype() == "message":
            yield _Leaf(_file_name(part), bytes(one), attachment=True, html=False, flowed=False)
        else:
            yield from _leaves(one)


def _leaf(part: Message) -> _Leaf:
    name = _file_name(part)
    flowed = _parameter(part, "format").lower() == "flowed"
    text = unpacked(_content(part), name).replace(b"\r\n", b"\n")
    if flowed:
        text = _unstuffed(text)
    text = _without_signature(text)
    attachment = part.get_content_disposition() == "attachment" or (
        part.get_content_maintype() != "text"
    )
    return _Leaf(name, text, attachment, part.get_content_subtype() == "html", flowed)


def _without_signature(text: bytes) -> bytes:
    """*text* with what is signed as it was before (RFC 9580, 7): after its header fields."""
    before, begin, rest = text.partition(_BEGIN)
    signed, signature, rest = rest.partition(_SIGNATURE)
    _, end, after = rest.partition(_END)
    if not (begin and signature and end) or (before and not before.endswith(b"\n")):
        return text
    _, _, body = (b"\n" + signed).partition(b"\n\n")
    return b"".join((before, _DASHED.sub(b"", body), b"\n", after))


def _content(part: Message) -> bytes:
    """The content of a part, in UTF-8 if its character set is known and right."""
    try:
        data = part.get_payload(decode=True)
    except (MessageError, ValueError):
        data = None
    if not isinstance(data, bytes):
        data = str(part.get_payload()).encode("utf-8", "surrogateescape")
    charset = _parameter(part, "charset") or "utf-8"
    if part.get_content_maintype() != "text":
        return data
    try:
        return data.decode(charset).encode()
    except (LookupError, ValueError):
        return data


def _parameter(part: Message, name: str) -> str:
    """A parameter of Content-Type; empty if it is absent or unreadable."""
    try:
        value = part.get_param(name, "")
    except (MessageError, ValueError):
        return ""
    return value if isinstance(value, str) else ""


def _file_name(part: Message) -> str:
    try:
        return " ".join((part.get_filename() or "").replace("/", "_").split())
    except (MessageError, LookupError, ValueError):
        return ""


def _unstuffed(text: bytes) -> bytes:
    """Undo the space-stuffing of RFC 3676, 4.4, if the sender did it.

    Many programs say ``format=flowed`` and send the lines as they are: context lines of a diff then
    begin with one blank. Stuffed, every line that begins with a blank has two.
    """
    blank = [line for line in text.split(b"\n") if line.startswith(b" ") and line.strip()]
    if not blank or not all(line.startswith(b"  ") for line in blank):
        return text
    return re.sub(rb"^ ", b"", text, flags=re.MULTILINE)


def _header_block(text: bytes) -> bytes:
    """The lines up to the first empty one or, if none is before it, the first of a diff."""
    end = 0
    for line in text.splitlines(keepends=True):
        if not line.strip() or (end and _OUTSIDE.match(line)):
            break
        end += len(line)
    return text[:end]


def _mended(block: bytes) -> bytes:
    """Make a line that is no header field a continuation of the one before it."""
    lines = block.replace(b"\r\n", b"\n").rstrip(b"\n").split(b"\n")
    return b"\n".join(
        line if _FIELD.match(line) or line[:1] in (b" ", b"\t") else b" " + line for line in lines
    )


def _text(raw: bytes) -> str:
    """Text of 8-bit headers, which have no character set: UTF-8, else ISO 8859-1."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
