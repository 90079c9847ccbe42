# SPDX-License-Identifier: Apache-2.0
"""What is expected of b4, the program: the patches of a thread, their trailers, and threads."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest
from mail_threads import DANA, KIM, Post, archive, mbox, series

from harness.base.errors import SeriesError, ToolError
from harness.kernel.patches.b4 import pick
from harness.kernel.patches.mail import Mail, Trailer, parse_mails
from harness.kernel.patches.origin import find_series, series_path
from harness.kernel.patches.series import Series, read_paths

REVIEWED = "Looks good.\n\nReviewed-by: Kim Reviewer <kim@example.org>\n"


def mails(*posts: Post) -> list[Mail]:
    return [mail for post in posts for mail in parse_mails(post.message_id, post.text.encode())]


def picked(*posts: Post) -> list[str]:
    given = mails(*posts)
    ranks = {mail.tags.version: mail.tags.version for mail in given}
    return [given[one.position].name for one in pick(given, ranks)]


def read(tmp_path: Path, *posts: Post) -> Series:
    path = tmp_path / "thread.mbox"
    path.write_bytes(mbox(*posts))
    return read_paths([path])


def names(found: Series) -> list[str]:
    return [mail.message_id for mail in found.patches]


def collected(found: Series) -> list[list[str]]:
    return [[trailer.key for trailer in mail.collected] for mail in found.patches]


def test_b4_picks_the_newest_version_in_the_order_of_its_numbers() -> None:
    posts = [*series(3), *series(3, 2, root="v1-0")]

    assert picked(*reversed(posts)) == ["v2-1", "v2-2", "v2-3"]


def test_b4_completes_a_version_of_which_one_patch_was_sent_again() -> None:
    again = Post("[PATCH v2 2/3] change 2", "again", "v1-2", adds="2 of version 2")

    assert picked(*series(3), again) == ["v1-1", "again", "v1-3"]


def test_b4_collects_the_trailers_of_replies_from_whoever_gives_them() -> None:
    own = Post("Re: [PATCH 1/2] change 1", "r1", "v1-1", body=REVIEWED, sender=KIM)
    nobody = Post("Re: [PATCH 2/2] change 2", "r2", "v1-2", body=REVIEWED, sender="X <x@x.org>")
    given = mails(*series(2), own, nobody)

    trailers = [one.trailers for one in pick(given, {1: 1})]

    assert trailers == [(Trailer("Reviewed-by", "Kim Reviewer <kim@example.org>"),), ()]


def test_settings_of_the_users_git_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")  # and no GIT_CONFIG_KEY_0: git refuses that

    assert picked(*series(1), *series(1, 2)) == ["v2-1"]


def test_a_thread_that_b4_fails_on_is_read_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ToolError("b4 fell over")

    monkeypatch.setattr("harness.kernel.patches.complete.pick", fail)

    found = read(tmp_path, *series(2), Post("Re: x", "r", "v1-1"))

    assert names(found) == ["v1-1", "v1-2"]
    assert found.note == "read without the trailers of its replies: b4 fell over"


def test_trailers_of_replies_are_the_patches(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        *series(2),
        Post("Re: [PATCH 0/2] changes", "r0", "v1-0", body="Tested-by: Kim <kim@example.org>\n"),
        Post("Re: [PATCH 2/2] change 2", "r2", "v1-2", body=REVIEWED, sender=KIM),
    )

    assert collected(found)[1][-1] == "Reviewed-by"
    assert "Reviewed-by" not in collected(found)[0]
    assert [one.reason for one in found.skipped] == ["a reply", "a reply"]


@pytest.mark.parametrize("parent", ["v1-2", "v1-0", "review"])
def test_a_patch_sent_again_alone_replaces_the_one_of_its_number(
    tmp_path: Path, parent: str
) -> None:
    review = Post("Re: [PATCH 2/3] change 2", "review", "v1-2", body="No.\n")
    again = Post("[PATCH v3 2/3] change 2", "again", parent, adds="2 of version 3")

    found = read(tmp_path, *series(3), review, again)

    assert (names(found), found.missing) == (["v1-1", "again", "v1-3"], ())
    assert found.note == "version 3 with patch 1, 3 of version 1, which were not sent again"
    assert "v1-2" not in names(found)


def test_a_version_that_older_patches_complete_has_their_letter(tmp_path: Path) -> None:
    letter, *patches = series(3)
    letter = replace(letter, body="Applies on top of v6.12.\n")
    again = Post("[PATCH v2 2/3] change 2", "again", "v1-2", adds="2 of version 2")

    found = read(tmp_path, letter, *patches, again)

    assert (found.title, found.needs.said) == ("changes", ("Applies on top of v6.12.",))
    assert [one.subject for one in found.skipped] == ["change 2"]


@pytest.mark.parametrize("sender", [DANA, KIM])
def test_a_patch_that_answers_nothing_replaces_the_one_of_its_subject_and_sender(
    tmp_path: Path, sender: str
) -> None:
    again = Post("[PATCH v2 2/3] change 2", "again", adds="2 of version 2", sender=sender)

    found = read(tmp_path, *series(3), again)

    assert names(found) == (["v1-1", "again", "v1-3"] if sender == DANA else ["again"])
    assert found.missing == (() if sender == DANA else (1, 3))


def test_a_letter_without_patches_is_left_out_as_such(tmp_path: Path) -> None:
    found = read(tmp_path, *series(2), Post("[PATCH v2 0/2] changes", "v2-0", "v1-0"))

    assert names(found) == ["v1-1", "v1-2"]
    assert [one.reason for one in found.skipped] == ["letter of version 2, without its patches"]


def test_a_version_with_a_letter_of_its_own_is_not_completed(tmp_path: Path) -> None:
    newer = series(3, 2, root="v1-0")

    found = read(tmp_path, *series(3), newer[0], newer[2])

    assert (names(found), found.missing, found.note) == (["v2-2"], (1, 3), "")


def test_a_patch_of_somebody_else_in_the_thread_is_left_out(tmp_path: Path) -> None:
    other = Post("[PATCH] another idea", "other", "v1-0", adds="9 other", sender=KIM)

    found = read(tmp_path, *series(2), other, Post("Re: x", "r", "other"))

    assert names(found) == ["v1-1", "v1-2"]
    assert "another patch in the thread, from kim@example.org" in {
        one.reason for one in found.skipped
    }


def test_two_series_in_one_mailbox_are_refused_by_name(tmp_path: Path) -> None:
    other = [Post(f"[PATCH {at}/2] other {at}", f"o{at}", "o0", adds=f"{at} x") for at in (1, 2)]

    with pytest.raises(SeriesError, match=r'2 series: "changes" \(v1-0\); "other 1" \(o1\)'):
        read(tmp_path, *series(2), *other)


def test_lone_patches_in_one_mailbox_follow_each_other(tmp_path: Path) -> None:
    found = read(tmp_path, Post("[PATCH] b", "b", adds="b"), Post("[PATCH] a", "a", adds="a"))

    assert names(found) == ["b", "a"]


def test_patches_take_the_version_of_their_letter(tmp_path: Path) -> None:
    letter = Post("[PATCH v2 0/1] changes", "v2-0")

    found = read(tmp_path, *series(1), letter, Post("[PATCH 1/1] better", "x", "v2-0", adds="x"))

    assert names(found) == ["x"]


def test_an_unnumbered_thread_keeps_its_order(tmp_path: Path) -> None:
    first = Post("[PATCH] b", "b", adds="b")
    second = Post("[PATCH] a", "a", "b", adds="a")

    assert names(read(tmp_path, first, second, Post("Re: [PATCH] b", "r", "b"))) == ["b", "a"]


@pytest.mark.parametrize("word", ["{url}/v1-1@x/", "{url}/v1-1@x/T/#u", "{url}/v1-1@x/raw"])
def test_a_url_of_an_archive_is_fetched_and_read_as_its_mailbox(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    posts = [named(post) for post in [*series(2), Post("Re: x", "r", "v1-1", body=REVIEWED)]]
    with archive(mbox(*posts)) as url:
        found = find_series([word.format(url=url)], Path())

    assert names(found) == ["v1-1@x", "v1-2@x"]
    assert [mail.diff for mail in found.patches] == [
        mail.diff for mail in read(tmp_path, *posts).patches
    ]


def named(post: Post) -> Post:
    """The post with ids as URLs have them."""
    parent = f"{post.parent}@x" if post.parent else ""
    return Post(post.subject, f"{post.message_id}@x", parent, post.adds, post.body, post.sender)


@pytest.mark.parametrize("word", ["v1-1@x", "<v1-1@x>", "id:v1-1@x"])
def test_a_message_id_is_looked_up_in_the_archive_of_b4s_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with archive(mbox(*map(named, series(2))), "all") as url:
        (tmp_path / ".gitconfig").write_text(f'[b4]\nmidmask = "{url}/%s"\n')
        found = find_series([word], Path())

    assert (names(found), found.origin) == (["v1-1@x", "v1-2@x"], word)


def test_a_message_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with (
        archive(mbox(*map(named, series(1)))) as url,
        pytest.raises(SeriesError, match="b4 has no thread for"),
    ):
        find_series([f"{url}/unknown@x/"], Path())


def test_an_archive_that_nobody_reaches_is_named_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(SeriesError) as caught:
        find_series(["http://127.0.0.1:1/list/some@x/"], Path())

    said = str(caught.value)
    assert "Connection refused" in said
    assert "Traceback" not in said
    assert len(said.splitlines()) == 1


def test_an_archive_that_never_answers_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr("harness.kernel.patches.b4.FETCH_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}/list/some@x/"
        with pytest.raises(SeriesError, match=r"no answer in 1 s\. To see more: b4 mbox"):
            find_series([url], Path())


def test_a_name_of_a_mailbox_is_no_message_id() -> None:
    for word in ("patches@v2.mbox", "a@b.patch.gz"):
        assert series_path(word) == Path(word)
        with pytest.raises(SeriesError, match="no such file or directory"):
            find_series([word], Path())


def test_the_named_reply_is_judged_if_it_carries_a_diff(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    reply = Post("Re: [PATCH 1/2] change 1", "try", "v1-1", adds="try this", sender=KIM)
    with archive(mbox(*map(named, [*series(2), reply]))) as url:
        found = find_series([f"{url}/try@x/"], Path())

    assert (names(found), found.note) == (["try@x"], "the diff of a reply")


def unthreaded(*posts: Post) -> list[Post]:
    """The mails as some programs send them, and as they are left by some servers."""
    return [replace(post, message_id=f"new-{post.message_id}", parent="") for post in posts]


def test_a_series_whose_thread_is_lost_is_one(tmp_path: Path) -> None:
    found = read(tmp_path, *unthreaded(*series(3)), *unthreaded(*series(3, 2)))

    assert names(found) == ["new-v2-1", "new-v2-2", "new-v2-3"]
    assert found.cover is not None
    assert found.note.startswith("put together by sender, version and numbers")


@pytest.mark.parametrize(
    ("sender", "total"), [(KIM, 2), (DANA, 3)], ids=["other sender", "other total"]
)
def test_parts_of_different_series_are_two(tmp_path: Path, sender: str, total: int) -> None:
    one = Post("[PATCH 1/2] a", "a", adds="1 a")
    other = Post(f"[PATCH 2/{total}] b", "b", adds="2 b", sender=sender)

    with pytest.raises(SeriesError, match=r"contains 2 series.*b4 mbox --use-local-mbox \S+ MESS"):
        read(tmp_path, one, other)


def test_the_advice_to_cut_a_mailbox_is_for_one_file(tmp_path: Path) -> None:
    paths = [tmp_path / "a.eml", tmp_path / "b.eml"]
    for path, total in zip(paths, (2, 3), strict=True):
        path.write_text(Post(f"[PATCH 1/{total}] a {total}", path.name, adds="1 a").text)

    with pytest.raises(SeriesError, match=r"contains 2 series.*Give the mails of one"):
        read_paths(paths)
