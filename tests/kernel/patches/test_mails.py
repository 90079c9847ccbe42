# SPDX-License-Identifier: Apache-2.0
"""Mails are read as people and archives save them, and alike by all commands."""

import bz2
import gzip
import lzma
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

import pytest

from harness.base.errors import SeriesError
from harness.kernel.patches.apply import apply_series
from harness.kernel.patches.mail import FLOWED, Mail, Trailer, parse_mails, trailers_of
from harness.kernel.patches.mime import decoded
from harness.kernel.patches.origin import find_series
from harness.kernel.patches.series import read_paths, read_series
from harness.kernel.patches.unpack import LARGEST

MAILS = Path(__file__).parents[2] / "mails"

DIFF = "--- a/f\n+++ b/f\n@@ -1,2 +1,2 @@\n-old\n+new \xe9\n context\n"


@dataclass(frozen=True)
class Right:
    """What must be read from a file of mails."""

    names: tuple[str, ...]
    author: str = "Dana Example <dana@example.org>"
    left_out: tuple[str, ...] = ()
    note: str = ""
    signed: bool = True


VERSION_2 = ("Note 1, second version.", "Note 2, second version.")
OLDER = ("of version 1; the newest is 2",) * 3
RIGHT = {
    "resend.mbox": Right(VERSION_2, left_out=OLDER + ("superseded: sent again",) * 3),
    "thread.mbox.gz": Right(VERSION_2),
    "maildir": Right(VERSION_2),
    "arc-seal.eml": Right(VERSION_2[:1]),
    "digit-header-base64.eml": Right(VERSION_2[:1]),
    "outlook-crlf.eml": Right(VERSION_2[:1]),
    "munged.mbox": Right(VERSION_2[:1]),
    "please-try.eml": Right(
        ("Note 3.",), "Sam Maintainer <sam@example.org>", (), "the diff of a reply", signed=False
    ),
    "format-flowed.eml": Right(("Note 4.",), note="the diff of a reply", signed=False),
}


@pytest.mark.parametrize("name", RIGHT)
def test_each_file_is_read_rightly(name: str) -> None:
    right = RIGHT[name]

    series = read_paths([MAILS / name])

    made = apply_series(read_series([MAILS / name]), lambda _: None)
    assert tuple(content.data.decode().strip() for content in made.values() if content) == (
        right.names
    )
    assert {mail.author for mail in series.patches} == {right.author}
    assert tuple(one.reason for one in series.skipped) == right.left_out
    assert series.note == right.note
    for mail in series.patches:
        assert ("Signed-off-by" in {trailer.key for trailer in mail.trailers}) == right.signed
        assert b"\r" not in mail.diff


@pytest.mark.parametrize("name", RIGHT)
def test_the_option_and_the_commands_read_the_same_patches(name: str) -> None:
    by_command = find_series([str(MAILS / name)], Path())
    by_option = read_series([MAILS / name])

    assert [mail.diff for mail in by_command.patches] == [patch.text for patch in by_option]


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "xz": lzma.compress,
    "bz2": bz2.compress,
}


@pytest.mark.parametrize("suffix", PACK)
def test_compressed_mailboxes_and_patches_are_read(tmp_path: Path, suffix: str) -> None:
    box = tmp_path / f"box.mbox.{suffix}"
    box.write_bytes(PACK[suffix]((MAILS / "resend.mbox").read_bytes()))

    assert len(read_paths([box]).patches) == 2
    assert len(read_paths([tmp_path]).patches) == 2


def test_what_unpacks_to_too_much_is_refused_before_it_is_kept(tmp_path: Path) -> None:
    box = tmp_path / "box.mbox.gz"
    box.write_bytes(gzip.compress(bytes(LARGEST + 1)))

    with pytest.raises(SeriesError, match="has more than 64 MiB"):
        read_paths([box])


def test_a_cut_download_is_refused(tmp_path: Path) -> None:
    box = tmp_path / "box.mbox.gz"
    box.write_bytes(gzip.compress((MAILS / "resend.mbox").read_bytes())[:200])

    with pytest.raises(SeriesError, match="cannot be decompressed"):
        read_paths([box])


def mail(**headers: str) -> EmailMessage:
    """A mail of a patch; headers by their names with _ for -."""
    one = EmailMessage()
    said = {"From": "A Tester <tester@example.org>", "Subject": "[PATCH] f: change", **headers}
    for name, value in said.items():
        one[name.replace("_", "-")] = value
    return one


def saved(path: Path, one: EmailMessage | bytes) -> Path:
    path.write_bytes(one if isinstance(one, bytes) else one.as_bytes())
    return path


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "8bit"])
@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1"])
def test_a_diff_is_utf8_whatever_the_mail_is_sent_as(
    tmp_path: Path, encoding: str, charset: str
) -> None:
    one = mail()
    one.set_content(f"Why.\n---\n{DIFF}", charset=charset, cte=encoding)

    (patch,) = read_paths([saved(tmp_path / "x.eml", one)]).patches

    assert "+new \xe9\n".encode() in patch.diff


@pytest.mark.parametrize("charset", ["us-ascii", "utf-8", "x-unknown"])
def test_bytes_of_another_charset_than_the_mail_says_stay_as_they_are(
    tmp_path: Path, charset: str
) -> None:
    head = f"Subject: [PATCH] f\nContent-Type: text/plain; charset={charset}\n\nWhy.\n---\n"
    path = saved(tmp_path / "x.eml", head.encode() + DIFF.encode("latin-1"))

    (patch,) = read_paths([path]).patches

    assert b"+new \xe9\n" in patch.diff


@pytest.mark.parametrize(
    ("maintype", "subtype"), [("text", "x-patch"), ("text", "x-diff"), ("application", "x-foo")]
)
def test_an_attached_diff_has_the_message_of_its_mail(
    tmp_path: Path, maintype: str, subtype: str
) -> None:
    one = mail()
    one.set_content("Why.\n\nSigned-off-by: A Tester <tester@example.org>\n")
    one.add_attachment(DIFF.encode(), maintype, subtype, filename="f.patch")

    (patch,) = read_paths([saved(tmp_path / "x.eml", one)]).patches

    assert (patch.subject, patch.message.splitlines()[0]) == ("f: change", "Why.")
    assert patch.diff == DIFF.encode()
    assert [trailer.key for trailer in patch.trailers] == ["Signed-off-by"]


def test_patches_attached_to_one_mail_are_a_series(tmp_path: Path) -> None:
    one = mail(Subject="two changes", Message_Id="<1@example.org>")
    one.set_content("See attached.\n")
    for number in (2, 1):
        inner = mail(Subject=f"[PATCH {number}/2] change {number}", Date="Mon, 1 Jan 2024 00:00:00")
        inner.set_content(f"Why.\n---\n{DIFF}", charset="utf-8", cte="8bit")
        box = b"From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n"
        one.add_attachment(box + inner.as_bytes(), "text", "x-patch", filename=f"{number}.patch")

    series = read_paths([saved(tmp_path / "x.eml", one)])

    assert [patch.subject for patch in series.patches] == ["change 1", "change 2"]
    assert [patch.name for patch in series.patches] == ["x.eml:1.patch", "x.eml:2.patch"]


@pytest.mark.parametrize("subject", ["Re: a bug", "Fwd: a series"])
@pytest.mark.parametrize("whole", [True, False], ids=["message/rfc822", "text/x-patch"])
def test_patches_attached_to_a_reply_are_judged_together(
    tmp_path: Path, subject: str, whole: bool
) -> None:
    one = mail(Subject=subject, Message_Id="<1@example.org>", In_Reply_To="<0@example.org>")
    one.set_content("Try these.\n")
    for number in (1, 2):
        inner = mail(Subject=f"[PATCH] change {number}")
        inner.set_content(f"Why.\n---\n{DIFF}", charset="utf-8", cte="8bit")
        if whole:
            one.add_attachment(inner)
        else:
            one.add_attachment(inner.as_bytes(), "text", "x-patch", filename=f"{number}.patch")

    series = read_paths([saved(tmp_path / "x.eml", one)])

    assert [patch.subject for patch in series.patches] == ["change 1", "change 2"]
    assert (series.note, series.missing) == ("the patches of a reply", ())


def test_a_patch_beside_the_diff_of_a_mail_is_left_out_and_named(tmp_path: Path) -> None:
    one = mail()
    one.set_content(f"Why.\n---\n{DIFF}", charset="utf-8", cte="8bit")
    one.add_attachment(DIFF.encode(), "text", "x-patch", filename="needed.patch")

    series = read_paths([saved(tmp_path / "x.eml", one)])

    assert [patch.subject for patch in series.patches] == ["f: change"]
    assert [(left.name, left.reason) for left in series.skipped] == [
        ("x.eml:needed.patch", "attached to a mail with a diff")
    ]


def test_a_diff_in_html_is_none(tmp_path: Path) -> None:
    one = mail()
    one.set_content("See the other part.\n")
    one.add_alternative(f"<pre>{DIFF}</pre>", subtype="html")

    with pytest.raises(SeriesError, match="contains no diff"):
        read_paths([saved(tmp_path / "x.eml", one)])


def test_a_message_of_trailers_alone_has_trailers() -> None:
    signed = "Signed-off-by: Dana <dana@example.org>"

    assert trailers_of(f"{signed}\n") == (Trailer("Signed-off-by", "Dana <dana@example.org>"),)
    assert trailers_of(f"Why: nobody knows.\n\n{signed}\n") == trailers_of(signed)
    assert trailers_of("") == trailers_of("Interdiff:\n") == ()


FLOWED_HEAD = b"Subject: [PATCH] f\nContent-Type: text/plain; format=flowed\n\nWhy.\n---\n"


@pytest.mark.parametrize("stuffing", [b"", b" "], ids=["sent as it is", "stuffed"])
def test_the_blanks_of_flowed_text_are_taken_off(tmp_path: Path, stuffing: bytes) -> None:
    context = DIFF.encode().replace(b" context", stuffing + b" context")
    path = saved(tmp_path / "x.eml", FLOWED_HEAD + context)

    (patch,) = read_paths([path]).patches

    assert (b"\n context\n" in patch.diff, patch.note) == (True, FLOWED)


def test_a_mail_that_is_signed_in_its_text_is_read(tmp_path: Path) -> None:
    escaped = "".join(
        f"- {line}" if line.startswith("-") else line
        for line in f'Why.\n\nFixes: 012345678901 ("f")\n---\n{DIFF}'.splitlines(keepends=True)
    )
    one = mail()
    one.set_content(
        f"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n{escaped}"
        "-----BEGIN PGP SIGNATURE-----\n\niQIz\n-----END PGP SIGNATURE-----\n",
        charset="utf-8",
        cte="8bit",
    )

    (patch,) = read_paths([saved(tmp_path / "x.eml", one)]).patches

    assert (patch.message.splitlines()[0], patch.fixes) == ("Why.", ('012345678901 ("f")',))
    assert patch.diff.decode().removeprefix("---\n").strip() == DIFF.strip()


def test_a_patch_in_utf16_is_read(tmp_path: Path) -> None:
    text = f"From: A Tester <a@x.org>\nSubject: [PATCH] f\n\nWhy.\n---\n{DIFF}"
    for number, encoding in enumerate(("utf-16", "utf-16-be")):
        mark = "\ufeff" if encoding == "utf-16-be" else ""
        data = (mark + text.replace("\n", "\r\n")).encode(encoding)

        (patch,) = read_paths([saved(tmp_path / f"{number}.patch", data)]).patches

        assert "+new \xe9\n".encode() in patch.diff


def test_mails_of_a_mailbox_may_begin_without_a_date(tmp_path: Path) -> None:
    one = "From -\nSubject: [PATCH {0}/2] {0}\n\nWhy.\n\nFrom - is no mail.\n---\n{1}\n"
    box = "".join(one.format(number, DIFF) for number in (1, 2))

    series = read_paths([saved(tmp_path / "x.mbox", box.encode())])

    assert [patch.subject for patch in series.patches] == ["1", "2"]


@pytest.mark.parametrize("kind", ["gztar", "tar", "zip"])
def test_an_archive_of_patches_is_refused_by_name(tmp_path: Path, kind: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.patch").write_text(DIFF)
    archive = Path(shutil.make_archive(str(tmp_path / "x"), kind, tmp_path / "in"))

    with pytest.raises(SeriesError, match=rf"{archive.name} is a (tar|zip) file.*Unpack it"):
        read_paths([archive])


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({"From": "Dana Example via list <list@x.org>", "Reply_To": "Dana <dana@x.org>"}, ""),
        ({"From": "'Dana Example' via list <list@x.org>", "X_Original_From": "dana@x.org"}, ""),
        ({"From": "Dana Example <list@x.org>", "List_Post": "<mailto:list@x.org>"}, "s-o-b"),
        ({"From": "Dana Example via list <list@x.org>"}, "s-o-b"),
        ({"From": "list <list@x.org>"}, "in the body"),
    ],
)
def test_an_author_that_the_list_hides_is_found(
    tmp_path: Path, headers: dict[str, str], body: str
) -> None:
    one = mail(**headers)
    first = "From: Dana Example <dana@x.org>\n\n" if body == "in the body" else ""
    last = "\nSigned-off-by: Dana Example <dana@x.org>\n" if body == "s-o-b" else ""
    one.set_content(f"{first}Why.\n{last}---\n{DIFF}", charset="utf-8", cte="8bit")

    (patch,) = read_paths([saved(tmp_path / "x.eml", one)]).patches

    assert "dana@x.org" in patch.author


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("=?utf-8?q?Jos=C3=A9?= x", "Jos\xe9 x"),
        ("=?no-charset?q?Jos=C3?=", "=?no-charset?q?Jos=C3?="),
        ("=?utf-8?b?a?=", "=?utf-8?b?a?="),
        ("=?utf-8?q?=ff?=", "=?utf-8?q?=ff?="),
        ("folded\n by a tab", "folded by a tab"),
    ],
)
def test_a_header_that_cannot_be_decoded_is_shown_raw(raw: str, shown: str) -> None:
    assert decoded(raw) == shown


def test_a_line_that_is_no_header_does_not_end_the_headers(tmp_path: Path) -> None:
    text = f"X-Long: begins\nand is broken wrongly\nSubject: [PATCH] f\n\nWhy.\n---\n{DIFF}"

    (patch,) = read_paths([saved(tmp_path / "x.eml", text.encode())]).patches

    assert patch.subject == "f"


def test_a_mail_that_is_not_understood_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, text: bytes) -> list[Mail]:
        if name.endswith("3"):
            raise AttributeError("odd")
        return parse_mails(name, text)

    monkeypatch.setattr("harness.kernel.patches.series.parse_mails", refuse)

    found = read_paths([MAILS / "thread.mbox.gz"])

    assert [one.reason for one in found.skipped] == ["not understood: odd"]
    assert (len(found.patches), found.missing) == (1, (2,))


def test_standard_input_is_read_as_a_file_is(monkeypatch: pytest.MonkeyPatch) -> None:
    data = (MAILS / "resend.mbox").read_bytes()
    monkeypatch.setattr("harness.kernel.patches.files._standard_input", lambda: data)

    series = find_series(["-"], Path())

    assert [one.name for one in series.patches] == ["-#0008", "-#0009"]


def test_a_signature_without_end_is_read_in_time() -> None:
    begun = b"-----BEGIN PGP SIGNED MESSAGE-----\n\n-----BEGIN PGP SIGNATURE-----\n"
    mail = b"From: a@b\nSubject: x\n\n" + begun * 20_000

    started = time.monotonic()
    parse_mails("x.eml", mail)

    assert time.monotonic() - started < 20
