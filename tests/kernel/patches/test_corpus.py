# SPDX-License-Identifier: Apache-2.0
"""Mails in all forms, recombined to threads: read rightly, alike by all commands, never a crash."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mail_corpus import AUTHOR, BODIES, CONTAINERS, CORPUS, HEADERS, PATCH, Form, rendered
from mail_threads import KIM, Post
from mail_threads import series as posted

from harness.base.errors import HarnessError
from harness.kernel.patches.apply import apply_series, try_series
from harness.kernel.patches.origin import find_series
from harness.kernel.patches.series import Series, patches_of, read_paths, read_series

SLOW = {"deadline": None}
"""A thread takes b4 half a second."""


def test_the_corpus_has_sixty_mails_and_more() -> None:
    assert len(CORPUS) >= 60
    assert len({rendered(PATCH, form) for form in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("form", CORPUS, ids=" / ".join)
def test_each_form_of_a_mail_is_the_same_patch(tmp_path: Path, form: Form, line_end: bytes) -> None:
    path = tmp_path / "x.eml"
    path.write_bytes(rendered(PATCH, form, line_end))

    series = read_paths([path])

    (mail,) = series.patches
    made = apply_series(patches_of(series), lambda _: None)
    assert [one.data.decode() for one in made.values() if one] == ["1 sl\xf6t\n"]
    assert (mail.subject, mail.author) == ("swiotlb: gr\xf6\xdfer", AUTHOR)
    assert (mail.tags.version, mail.tags.number, mail.tags.total) == (2, 1, 2)
    assert [(one.key, one.value) for one in mail.trailers] == [("Signed-off-by", AUTHOR)]
    assert b"\r" not in mail.diff


@dataclass(frozen=True)
class Thread:
    """A thread as files show it, and its right answer: ids in order, and who reviewed."""

    mails: tuple[bytes, ...]
    container: str
    right: tuple[str, ...]
    reviewed: frozenset[str]


FORMS = st.tuples(st.sampled_from(sorted(HEADERS)), st.sampled_from(sorted(BODIES)))


SIGNED = "Signed-off-by: Dana Example <dana@example.org>\n"


@st.composite
def threads(draw: st.DrawFn) -> Thread:
    """Versions of a series, perhaps sent again or only in part, with replies, in any order.

    Messages may consist of a trailer, letters may carry a diff, and mails may answer nothing.
    """
    total = draw(st.integers(1, 4))
    versions = draw(st.integers(1, 3))
    posts: list[Post] = []
    for version in range(1, versions + 1):
        root = draw(st.sampled_from(["", posts[0].message_id])) if posts else ""
        posts += posted(total, version, root, cover=total > 1 and draw(st.booleans()))
    if draw(st.booleans()):
        posts = [replace(post, adds=post.adds or "0 interdiff") for post in posts]
    if draw(st.booleans()):
        posts = [replace(post, parent="") for post in posts]
    posts = [replace(post, body=draw(st.sampled_from([post.body, SIGNED]))) for post in posts]
    right = [f"v{versions}-{number}" for number in range(1, total + 1)]
    kind = draw(st.sampled_from(["whole", "resent", "partial", "other"]))
    if kind == "resent":
        posts += [_resent(post) for post in posts if post.message_id.startswith(f"v{versions}-")]
        right = [f"again-{one}" for one in right]
    if kind == "partial" and total > 1:
        number = draw(st.integers(1, total))
        subject = f"[PATCH v{versions + 1} {number}/{total}] change {number}"
        posts.append(Post("Re: patch", "look", right[number - 1], body="Hm.\n", sender=KIM))
        parent = draw(st.sampled_from([right[number - 1], right[0], "look", ""]))
        posts.append(Post(subject, "partial", parent, adds=f"{number} partial"))
        right[number - 1] = "partial"
    if kind == "other":
        posts.append(Post("[PATCH] an idea", "other", right[0], adds="9 other", sender=KIM))
    reviewed = draw(st.sets(st.sampled_from(right)))
    said = "Fine.\n\nReviewed-by: Kim Reviewer <kim@example.org>\n"
    posts += [Post("Re: patch", f"r-{one}", one, body=said, sender=KIM) for one in reviewed]
    posts += [Post("Re: patch", "chat", right[0], body="> diff --git a/x b/x\nHm.\n")]
    forms = [draw(FORMS) for _ in posts]
    mails = [
        rendered(_as_url(post), form, draw(st.sampled_from([b"\n", b"\r\n"])))
        for post, form in zip(posts, forms, strict=True)
    ]
    order = draw(st.permutations(mails)) if kind != "other" or versions > 1 else mails
    container = draw(st.sampled_from(sorted(CONTAINERS)))
    return Thread(tuple(order), container, tuple(right), frozenset(reviewed))


def _resent(post: Post) -> Post:
    parent = f"again-{post.parent}" if post.parent.startswith(post.message_id[:3]) else ""
    return replace(
        post,
        subject=post.subject.replace("[PATCH", "[RESEND PATCH"),
        message_id=f"again-{post.message_id}",
        parent=parent,
    )


def _as_url(post: Post) -> Post:
    parent = f"{post.parent}@x" if post.parent else ""
    return replace(post, message_id=f"{post.message_id}@x", parent=parent)


def read(thread: Thread) -> tuple[Series, Sequence[bytes]]:
    """A thread as the commands read it, and the diffs as ``--series`` reads it."""
    with tempfile.TemporaryDirectory() as scratch:
        path = CONTAINERS[thread.container](Path(scratch) / "box", thread.mails)
        option = [patch.text for patch in read_series((path,))]
        return find_series([str(path)], Path()), option


@settings(max_examples=20, **SLOW)
@given(threads())
def test_a_thread_is_read_in_order_with_its_reviews_by_all_commands(thread: Thread) -> None:
    series, option = read(thread)

    assert tuple(mail.message_id.removesuffix("@x") for mail in series.patches) == thread.right
    assert series.missing == ()
    reviewed = {
        mail.message_id.removesuffix("@x")
        for mail in series.patches
        if any(trailer.key == "Reviewed-by" for trailer in mail.trailers)
    }
    assert reviewed == thread.reviewed
    assert [mail.diff for mail in series.patches] == option
    seen = len(series.patches) + len(series.skipped) + (series.cover is not None)
    assert seen == len(thread.mails)


@settings(max_examples=80, **SLOW)
@given(
    st.sampled_from(CORPUS),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 30), st.binary(max_size=12)), min_size=1),
    st.booleans(),
)
def test_a_damaged_mail_is_read_or_refused_and_never_ends_in_a_traceback(
    form: Form, damages: list[tuple[float, int, bytes]], boxed: bool
) -> None:
    text = b"From mboxrd@z Thu Jan  1 00:00:00 1970\n" * boxed + rendered(PATCH, form)
    for place, length, new in damages:
        at = int(place * len(text))
        text = text[:at] + new + text[at + length :]
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "x.mbox"
        path.write_bytes(text)
        try:
            found = read_series((path,))
            try_series(found, lambda _: None)
        except HarnessError:
            found = ()
    assert len(found) <= 1
