# SPDX-License-Identifier: Apache-2.0
"""Made-up mails in every form that was met on ten mailing lists: headers x bodies x containers.

A mail is a :class:`Post` in one form of its headers and one of its body; ``CORPUS`` has each pair.
The right answer is the same for all forms: the post's subject, author, trailers and diff.
"""

import base64
import gzip
import lzma
import quopri
import re
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path

from mail_threads import Post

AUTHOR = "J\xf6rg Example <joerg@example.org>"
SIGNED = f"Why.\n\nSigned-off-by: {AUTHOR}\n"

PATCH = Post("[PATCH v2 1/2] swiotlb: gr\xf6\xdfer", "p@x", "0@x", "1 sl\xf6t", SIGNED, AUTHOR)
"""The mail of which the corpus has every form."""


def _encoded_word(text: str, charset: str = "utf-8", kind: str = "b") -> str:
    raw = text.encode(charset)
    word = base64.b64encode(raw).decode() if kind == "b" else "".join(f"={one:02X}" for one in raw)
    return f"=?{charset}?{kind}?{word}?="


def _sender(post: Post, encode: Callable[[str], str]) -> str:
    name, _, address = post.sender.partition(" <")
    return f"{name if name.isascii() else encode(name)} <{address}"


def _headers(post: Post, encode: Callable[[str], str], sender: str = "") -> list[str]:
    tags, _, rest = post.subject.rpartition("] ")
    said = rest if rest.isascii() else encode(rest)
    above = [f"In-Reply-To: <{post.parent}>"] if post.parent else []
    return [
        f"From: {sender or _sender(post, encode)}",
        f"Subject: {f'{tags}] ' if tags else ''}{said}",
        "Date: Mon, 1 Jun 2026 10:00:00 +0000",
        f"Message-ID: <{post.message_id}>",
        *above,
    ]


def _munged(post: Post) -> list[str]:
    name, _, address = post.sender.partition(" <")
    hidden = f"{_encoded_word(f'{name} via list')} <list@lists.example.org>"
    return [*_headers(post, _encoded_word, hidden), f"Reply-To: {_encoded_word(name)} <{address}"]


def _folded(post: Post) -> list[str]:
    return [line.replace(" ", "\n\t", 2) for line in _headers(post, _encoded_word)]


HEADERS: Mapping[str, Callable[[Post], list[str]]] = {
    "base64 words": lambda post: _headers(post, _encoded_word),
    "quoted words": lambda post: _headers(post, lambda text: _encoded_word(text, kind="q")),
    "latin-1 words": lambda post: _headers(post, lambda text: _encoded_word(text, "iso-8859-1")),
    "raw utf-8": lambda post: _headers(post, str),
    "folded": _folded,
    "digits and no blanks": lambda post: [
        *("ARC-Seal:i=1; a=rsa-sha256", "X-ExtLoop1: 1", "X-MS-Has-Attach:"),
        *_headers(post, _encoded_word),
    ],
    "undecodable neighbours": lambda post: [
        *("X-Odd: =?no-charset?q?=FF?=", "To: =?utf-8?b?a?=, \udcff@x", "Content-Language: \udce9"),
        *_headers(post, _encoded_word),
    ],
    "names in lower case": lambda post: [
        f"{line.partition(':')[0].lower()}:{line.partition(':')[2]}"
        for line in _headers(post, _encoded_word)
    ],
    "hidden by the list": _munged,
    "broken line": lambda post: [
        *("X-Spam-Report: begins", "and goes on without a blank"),
        *_headers(post, _encoded_word),
    ],
}
"""Forms of headers. A name outside ASCII, a surrogate, is a byte."""

TYPE = "Content-Type: text/plain; charset={}"
CODED = "Content-Transfer-Encoding: {}"


def _text(post: Post) -> str:
    return post.text.partition("\n\n")[2]


def _plain(post: Post) -> bytes:
    return f"{TYPE.format('UTF-8')}\n\n{_text(post)}".encode()


def _base64(post: Post) -> bytes:
    head = f"MIME-Version: 1.0\n{TYPE.format('utf-8')}\n{CODED.format('base64')}\n\n"
    return head.encode() + base64.encodebytes(_text(post).encode())


def _quoted(post: Post) -> bytes:
    head = f"{TYPE.format('utf-8')}\n{CODED.format('quoted-printable')}\n\n"
    return head.encode() + quopri.encodestring(_text(post).encode())


def _latin(post: Post) -> bytes:
    return f"{TYPE.format('iso-8859-1')}\n\n{_text(post)}".encode("latin-1")


def _unlabelled(post: Post) -> bytes:
    return f"\n{_text(post)}".encode()


def _crlf_base64(post: Post) -> bytes:
    head = f"{TYPE.format('utf-8')}\n{CODED.format('base64')}\n\n"
    return head.encode() + base64.encodebytes(_text(post).replace("\n", "\r\n").encode())


def _multipart(*parts: bytes, kind: str = "mixed") -> bytes:
    head = f'MIME-Version: 1.0\nContent-Type: multipart/{kind}; boundary="=_b"\n\n'.encode()
    return head + b"".join(b"--=_b\n" + part + b"\n" for part in parts) + b"--=_b--\n"


def _signed(post: Post) -> bytes:
    key = b"Content-Type: application/pgp-signature\n\n-----BEGIN PGP SIGNATURE-----\n"
    return _multipart(_plain(post), key, kind="signed")


def _alternative(post: Post) -> bytes:
    html = f"{TYPE.format('utf-8').replace('plain', 'html')}\n\n<pre>{_text(post)}</pre>"
    return _multipart(_plain(post), html.encode(), kind="alternative")


def _footer(post: Post) -> bytes:
    footer = f"{TYPE.format('us-ascii')}\n\n______\nlist mailing list\n"
    return _multipart(_plain(post), footer.encode())


def _attached(post: Post) -> bytes:
    """The message in the mail, and the diff attached."""
    if not post.adds:
        return _plain(post)
    message, _, diff = _text(post).partition("---\n")
    return _multipart(
        f"{TYPE.format('utf-8')}\n\n{message}".encode(),
        f"Content-Type: text/x-patch\n{CODED.format('base64')}\n\n".encode()
        + base64.encodebytes(diff.encode()),
    )


def _mail_in(post: Post, head: str, form: Callable[[str], str]) -> bytes:
    """A mail beside a text, as a part with that *head*."""
    if not post.adds:
        return _plain(post)
    inner = "\n".join([*_headers(post, _encoded_word), form(_text(post))])
    return _multipart(f"{TYPE.format('utf-8')}\n\nSee.\n".encode(), f"{head}\n\n{inner}".encode())


def _attached_mail(post: Post) -> bytes:
    return _mail_in(post, "Content-Type: text/x-patch", lambda text: f"\n{text}")


def _forwarded(post: Post) -> bytes:
    head = f"{TYPE.format('utf-8')}\n{CODED.format('8bit')}"
    return _mail_in(post, "Content-Type: message/rfc822", lambda text: f"{head}\n\n{text}")


def _clearsigned(post: Post) -> bytes:
    escaped = re.sub("^-", "- -", _text(post), flags=re.MULTILINE)
    signed = f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{escaped}"
    key = "-----BEGIN PGP SIGNATURE-----\n\niQIz\n-----END PGP SIGNATURE-----\n"
    return f"{TYPE.format('UTF-8')}\n\n{signed}{key}".encode()


def _flowed(post: Post) -> bytes:
    stuffed = re.sub("^(?= |From )", " ", _text(post), flags=re.MULTILINE)
    return f"{TYPE.format('UTF-8')}; format=flowed\n\n{stuffed}".encode()


BODIES: Mapping[str, Callable[[Post], bytes]] = {
    "utf-8": _plain,
    "base64": _base64,
    "quoted-printable": _quoted,
    "latin-1": _latin,
    "unlabelled": _unlabelled,
    "base64 of CRLF": _crlf_base64,
    "signed": _signed,
    "HTML beside it": _alternative,
    "a footer of the list": _footer,
    "an attached diff": _attached,
    "an attached mail": _attached_mail,
    "forwarded": _forwarded,
    "signed in the text": _clearsigned,
    "flowed": _flowed,
}

Form = tuple[str, str]
"""The names of a form of headers and of a form of the body."""

CORPUS: Sequence[Form] = list(product(HEADERS, BODIES))


def rendered(post: Post, form: Form, line_end: bytes = b"\n") -> bytes:
    """The mail in one form, without a ``From`` line."""
    head = "\n".join(HEADERS[form[0]](post)).encode("utf-8", "surrogateescape")
    return (head + b"\n" + BODIES[form[1]](post)).replace(b"\n", line_end)


def _mboxrd(mails: Sequence[bytes]) -> bytes:
    start = b"From mboxrd@z Thu Jan  1 00:00:00 1970\n"
    return b"".join(start + mail + b"\n" for mail in mails)


def _maildir(directory: Path, mails: Sequence[bytes]) -> Path:
    for part in ("cur", "new", "tmp"):
        (directory / part).mkdir(parents=True)
    for number, mail in enumerate(mails):
        part = "new" if number % 3 == 0 else "cur"
        (directory / part / f"178000{number:04}.M{number}.host:2,S").write_bytes(mail)
    return directory


def _folder(directory: Path, mails: Sequence[bytes]) -> Path:
    directory.mkdir()
    for number, mail in enumerate(mails):
        (directory / f"{number:04}.eml").write_bytes(mail)
    return directory


def _file(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


CONTAINERS: Mapping[str, Callable[[Path, Sequence[bytes]], Path]] = {
    "mbox": lambda path, mails: _file(path, _mboxrd(mails)),
    "mbox.gz": lambda path, mails: _file(path, gzip.compress(_mboxrd(mails))),
    "mbox.xz": lambda path, mails: _file(path, lzma.compress(_mboxrd(mails))),
    "maildir": _maildir,
    "folder": _folder,
}
