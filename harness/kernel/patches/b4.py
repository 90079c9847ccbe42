# SPDX-License-Identifier: Apache-2.0
"""The only module that runs ``b4``: it chooses patches of a thread, and fetches threads.

b4 is a program of the kernel's developers, from PyPI and under the GPL: it is run, never imported.
tests/kernel/patches/test_b4.py says what is expected of it. It is given mails that this package has
read already, in one canonical form, and answers which of them are the series, in which order, and
which trailers came in replies. The diffs are taken from the mails themselves: b4 0.14 recodes what
it cannot decode, and loses the message of a mail whose patch is attached.
"""

import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.header import Header
from email.utils import format_datetime, formataddr, parseaddr
from functools import cache
from pathlib import Path

from harness.base.errors import HostError, SeriesError, ToolError
from harness.base.progress import step
from harness.base.tools import is_present, run_tool
from harness.kernel.patches.files import split_mailbox
from harness.kernel.patches.mail import Mail, Trailer, take_apart, trailers_of
from harness.kernel.patches.mime import read_plain

PLAIN = ("--no-interactive", "--offline-mode", "-c", "b4.attestation-policy=off")
"""No questions, no network, and no signatures: those of the mails are not handed over."""

FETCH_SECONDS = 120.0
"""How long b4 may take to fetch a thread; the longest are some MiB."""

_FIRST = datetime(2000, 1, 1, tzinfo=UTC)
_HOST = "mails.invalid"


@dataclass(frozen=True)
class Picked:
    """A patch that b4 picked: its position in the mails given, and all trailers it has now."""

    position: int
    trailers: tuple[Trailer, ...]


def pick(mails: Sequence[Mail], ranks: Mapping[int, int]) -> tuple[Picked, ...]:
    """Let ``b4 am`` choose the newest version among *mails*, with the trailers of the replies.

    *ranks* numbers the versions without gaps, which b4 needs to complete a version of which only
    some patches were sent again. Raises ToolError if b4 fails.
    """
    places = {mail.message_id: at for at, mail in enumerate(mails) if mail.message_id}
    written = (_canonical(at, mail, places, ranks) for at, mail in enumerate(mails))
    return _am(b"".join(written))


def fetch(message: str) -> bytes:
    """The mailbox of the thread of *message*, a message id or a URL that has one.

    With the user's settings of b4, such as ``b4.midmask``, the archive. Raises SeriesError.
    """
    command = (_program(), "--no-interactive", "mbox", "--no-cache", "--outdir", "-", message)
    try:
        with step(f"fetching the thread of {message} with b4"):
            mailbox = run_tool(command, data=b"", deadline=FETCH_SECONDS)
    except ToolError as fault:
        reason = fault.complaint.splitlines()[-1]  # of a traceback, the exception
        raise _no_thread(message, reason) from fault
    if not mailbox:
        raise _no_thread(message, "it printed no mail")
    return mailbox


def _no_thread(message: str, reason: str) -> SeriesError:
    return SeriesError(
        f"b4 has no thread for '{message}': {reason}. To see more: b4 mbox '{message}'. A thread "
        "that is saved as a mailbox needs no network."
    )


def _program() -> str:
    """b4 of this Python environment, else of the system."""
    own = Path(sys.executable).parent / "b4"
    if own.is_file():
        return str(own)
    if is_present("b4"):
        return "b4"
    raise HostError(
        "the program 'b4' is not in this Python environment. Install what the harness needs: "
        "scripts/setup"
    )


@cache
def _am(mailbox: bytes) -> tuple[Picked, ...]:
    with tempfile.TemporaryDirectory() as scratch:
        box = Path(scratch) / "thread.mbox"
        box.write_bytes(mailbox)
        words = ("am", "--no-cache", "--no-cover", "--outdir", "-", "--use-local-mbox", box)
        env = {
            **{name: value for name, value in os.environ.items() if not _is_setting(name)},
            "HOME": scratch,
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CEILING_DIRECTORIES": scratch,
        }
        said = run_tool((_program(), *PLAIN, *words), cwd=Path(scratch), env=env, data=b"")
        return tuple(_picked(mail.text) for mail in split_mailbox("b4", said))


def _is_setting(name: str) -> bool:
    """Whether a variable carries settings of the user's git, or places of other settings."""
    return name.startswith(("GIT_", "XDG_"))


def _picked(text: bytes) -> Picked:
    plain = read_plain(text)
    position = plain.headers.get("message-id", "").strip("<>").partition("@")[0]
    return Picked(int(position), trailers_of(take_apart(plain).message))


def _canonical(at: int, mail: Mail, places: Mapping[str, int], ranks: Mapping[int, int]) -> bytes:
    """One mail of a mailbox in the form that b4 cannot misread; its id is its position."""
    above = next((places[one] for one in mail.parents if one in places), None)
    name, address = parseaddr(mail.author)
    address = address if address and address.isascii() else f"unknown@{_HOST}"
    body = f"{mail.message}\n"
    if mail.is_patch and not mail.is_reply:
        diff = mail.diff.decode(errors="replace")
        body += diff if diff.startswith("---\n") else f"---\n{diff}"
    headers = {
        "From": formataddr((name, address)),
        "Subject": Header(_subject(mail, ranks), "utf-8", maxlinelen=998).encode(),
        "Date": format_datetime(_FIRST + timedelta(minutes=at)),
        "Message-Id": f"<{at}@{_HOST}>",
        **({} if above is None else {"In-Reply-To": f"<{above}@{_HOST}>"}),
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
    }
    head = "".join(f"{key}: {value}\n" for key, value in headers.items())
    quoted = "".join(
        f">{line}" if line.startswith("From ") else line for line in body.splitlines(keepends=True)
    )
    start = "From mboxrd@z Thu Jan  1 00:00:00 1970\n"
    return f"{start}{head}\n{quoted}\n".encode(errors="replace")


def _subject(mail: Mail, ranks: Mapping[int, int]) -> str:
    tags = mail.tags
    number = f" {tags.number}/{tags.total}" if tags.number is not None else ""
    version = ranks.get(tags.version, 1)
    if mail.is_reply or not (mail.is_patch or mail.is_cover):
        return f"Re: {mail.subject}"
    return f"[PATCH v{version}{number}] {mail.subject}"
