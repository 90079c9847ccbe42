# SPDX-License-Identifier: Apache-2.0
"""A series is read, with its order and its trailers, in all the forms it comes in."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest
from kernel_trees import tiny_tree
from scratch_git import git
from validate_fakes import FULL_POOL

from harness.base.errors import SeriesError
from harness.kernel.patches.mail import Trailer
from harness.kernel.patches.origin import find_series
from harness.kernel.patches.series import Series, read_paths, read_series, store_prefix
from harness.kernel.patches.subject import SubjectTags, read_subject

DIFF = "--- a/kernel/dma/swiotlb.c\n+++ b/kernel/dma/swiotlb.c\n@@ -1,1 +1,1 @@\n-{old}\n+{new}\n"


@dataclass(frozen=True)
class Sent:
    """A mail as somebody would send it; a diff only with *diff*."""

    subject: str
    diff: bool = True
    body: str = "Why.\n\nSigned-off-by: A Tester <tester@example.org>\n"
    headers: tuple[str, ...] = field(default=())

    @property
    def text(self) -> str:
        """It, as a mailbox has it."""
        headers = "".join(f"{line}\n" for line in self.headers)
        diff = DIFF.format(old=f"int {self.subject[-1]};", new="int x;") if self.diff else ""
        return (
            "From 0123456789012345678901234567890123456789 Mon Sep 17 00:00:00 2001\n"
            f"From: A Tester <tester@example.org>\n{headers}"
            f"Subject: {self.subject}\n\n{self.body}---\n{diff}\n"
        )


def mailbox(path: Path, *mails: Sent) -> Path:
    path.write_text("".join(mail.text for mail in mails))
    return path


def subjects(series: Series) -> list[str]:
    return [mail.subject for mail in series.patches]


def left_out(series: Series) -> list[tuple[str, str]]:
    return [(one.subject, one.reason) for one in series.skipped]


def test_a_mailbox_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    box = mailbox(
        tmp_path / "box.mbox",
        Sent("[PATCH 3/3] swiotlb: c"),
        Sent("[PATCH 1/3] swiotlb: a"),
        Sent("[PATCH 2/3] swiotlb: b"),
    )

    assert subjects(read_paths([box])) == ["swiotlb: a", "swiotlb: b", "swiotlb: c"]


def test_more_than_nine_patches_are_ordered_as_numbers(tmp_path: Path) -> None:
    numbers = range(1, 12)
    box = mailbox(
        tmp_path / "box.mbox",
        *(Sent(f"[PATCH {number}/11] change {number}") for number in reversed(numbers)),
    )

    assert subjects(read_paths([box])) == [f"change {number}" for number in numbers]


def test_files_beside_each_other_are_one_series(tmp_path: Path) -> None:
    second = mailbox(tmp_path / "b.eml", Sent("[PATCH 2/2] b"))
    first = mailbox(tmp_path / "a.eml", Sent("[PATCH 1/2] a"))

    assert subjects(read_paths([second, first])) == ["a", "b"]


def test_files_of_one_name_in_several_directories_follow_each_other(tmp_path: Path) -> None:
    paths = []
    for number in range(3):
        paths.append(tmp_path / str(number) / "6.12.patch")
        paths[-1].parent.mkdir()
        paths[-1].write_text(Sent(f"[PATCH] dma: repair {number}").text)

    assert [mail.subject for mail in read_paths(paths).patches] == [
        "dma: repair 0",
        "dma: repair 1",
        "dma: repair 2",
    ]


def test_two_mailboxes_follow_each_other(tmp_path: Path) -> None:
    later = mailbox(tmp_path / "1.mbox", Sent("[PATCH 2/2] b"), Sent("[PATCH 1/2] a"))
    first = mailbox(tmp_path / "2.mbox", Sent("[PATCH 2/2] d"), Sent("[PATCH 1/2] c"))

    assert subjects(read_paths([first, later])) == ["c", "d", "a", "b"]


def test_a_quilt_series_keeps_its_own_order(tmp_path: Path) -> None:
    mailbox(tmp_path / "a.patch", Sent("[PATCH 1/2] a"))
    mailbox(tmp_path / "b.patch", Sent("[PATCH 2/2] b"))
    (tmp_path / "series").write_text("b.patch\na.patch\n")

    assert subjects(read_paths([tmp_path])) == ["b", "a"]


def test_a_directory_of_format_patch_has_cover_fixes_and_trailers() -> None:
    series = read_paths([FULL_POOL])

    assert series.title == "swiotlb: say more about a full pool, and fail less often"
    assert series.cover is not None
    assert "the fifth repairs it" in series.cover.message
    assert [mail.tags for mail in series.patches] == [
        SubjectTags(1, number, 5) for number in range(1, 6)
    ]
    assert series.patches[4].fixes == (
        'a6efe8adc736 ("swiotlb: do not fail a mapping that the device can do without")',
    )
    assert Trailer("Reviewed-by", "B Reader <reader@example.org>") in series.patches[0].trailers
    assert series.patches[0].author == "A Tester <tester@example.org>"
    assert series.patches[0].message_id == "20260105100000.1.tester@example.org"


def test_mails_that_are_no_patches_are_left_out_and_named(tmp_path: Path) -> None:
    box = mailbox(
        tmp_path / "thread.mbox",
        Sent("[PATCH 0/1] the cover", diff=False),
        Sent("[PATCH 1/1] a"),
        Sent("Re: [PATCH 1/1] a", diff=False),
        Sent("RE: [PATCH 1/1] a"),
        Sent("build report", diff=False),
    )

    series = read_paths([box])

    assert (subjects(series), series.title) == (["a"], "the cover")
    assert left_out(series) == [
        ("a", "a reply"),
        ("a", "a reply that carries a diff"),
        ("build report", "contains no diff"),
    ]


def test_of_several_versions_the_newest_is_taken(tmp_path: Path) -> None:
    box = mailbox(
        tmp_path / "thread.mbox",
        Sent("[PATCH v2 1/1] a"),
        Sent("[RFC PATCH v10 1/1] newer a"),
        Sent("[PATCH 1/1] a"),
    )

    series = read_paths([box])

    assert subjects(series) == ["newer a"]
    assert [one.reason for one in series.skipped] == [
        "of version 2; the newest is 10",
        "of version 1; the newest is 10",
    ]


def test_a_mail_that_came_twice_counts_once(tmp_path: Path) -> None:
    mail = Sent("[PATCH 1/1] a", headers=("Message-Id: <1@example.org>",))

    series = read_paths([mailbox(tmp_path / "box.mbox", mail, mail)])

    assert (subjects(series), left_out(series)) == (["a"], [("a", "a duplicate")])


def test_two_patches_of_one_number_are_refused(tmp_path: Path) -> None:
    box = mailbox(tmp_path / "box.mbox", Sent("[PATCH 1/2] a"), Sent("[PATCH 1/2] b"))

    with pytest.raises(SeriesError, match=r"#0001 and box\.mbox#0002 are both patch 1 of 2"):
        read_paths([box])


def test_a_cover_letter_may_carry_the_diff_to_the_version_before(tmp_path: Path) -> None:
    box = mailbox(
        tmp_path / "box.mbox",
        *(Sent(f"[PATCH v2 {number}/2] {name}") for number, name in enumerate("lab")),
    )

    series = read_paths([box])

    assert (series.title, subjects(series)) == ("l", ["a", "b"])


@pytest.mark.parametrize("beside", [False, True])
def test_number_0_of_1_is_the_patch_if_there_is_no_other(tmp_path: Path, beside: bool) -> None:
    sent = [Sent("[PATCH 0/1] a"), *([Sent("[PATCH 1/1] b")] if beside else [])]

    series = read_paths([mailbox(tmp_path / "box.mbox", *sent)])

    assert (subjects(series), series.missing) == (["b" if beside else "a"], ())


def test_the_diff_of_an_answer_to_a_cover_letter_is_a_patch(tmp_path: Path) -> None:
    box = mailbox(tmp_path / "box.mbox", Sent("Re: [PATCH 0/2] a"))

    assert (subjects(read_paths([box])), read_paths([box]).note) == (["a"], "the diff of a reply")


def test_missing_numbers_are_known(tmp_path: Path) -> None:
    box = mailbox(tmp_path / "box.mbox", Sent("[PATCH 2/4] b"), Sent("[PATCH 4/4] d"))

    assert read_paths([box]).missing == (1, 3)


def test_what_holds_no_patch_is_refused_with_the_reason(tmp_path: Path) -> None:
    box = mailbox(tmp_path / "box.mbox", Sent("[PATCH 0/1] cover", diff=False))

    with pytest.raises(SeriesError, match=r"contains no diff.*box\.mbox \(a cover letter\)"):
        read_paths([box])


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("[PATCH v2 3/5] swiotlb: x", ("swiotlb: x", SubjectTags(2, 3, 5), False)),
        ("[RFC][PATCH 03/12] x", ("x", SubjectTags(1, 3, 12), False)),
        ("[PATCH net-next v3] x [y]", ("x [y]", SubjectTags(3), False)),
        ("Re: [PATCH 1/2] x", ("x", SubjectTags(1, 1, 2), True)),
        ("swiotlb: x", ("swiotlb: x", SubjectTags(), False)),
        ("[PATCH 1/2] fold\n ed", ("fold ed", SubjectTags(1, 1, 2), False)),
    ],
)
def test_a_subjects_tags_say_its_place(
    subject: str, expected: tuple[str, SubjectTags, bool]
) -> None:
    assert read_subject(subject) == expected


@pytest.fixture
def stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.usefixtures("stored")
def test_a_prefix_in_the_cache_is_the_same_patches_as_the_files_themselves() -> None:
    patches = read_series(store_prefix(read_paths([FULL_POOL]), 3))

    files = sorted(FULL_POOL.glob("000[123]*"))
    assert [one.identity for one in patches] == [one.identity for one in read_series(files)]
    assert patches[2].name.startswith("0003-swiotlb-do-not-fail")
    assert store_prefix(read_paths([FULL_POOL]), 0) == ()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Three commits on a base, with a merge among them."""
    root = tiny_tree(tmp_path / "linux")
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "base")
    git(root, "tag", "v1")
    for name in ("one", "two"):
        (root / "kernel/fork.c").write_text(f"int {name};\n")
        git(root, "commit", "-qam", f"fork: {name}")
    git(root, "checkout", "-qb", "side", "v1")
    (root / "README").write_text("side\n")
    git(root, "commit", "-qam", "readme: side")
    git(root, "checkout", "-q", "main")
    git(root, "merge", "-q", "--no-ff", "-m", "Merge side", "side")
    return root


def test_a_range_of_commits_is_a_series_without_its_merges(repository: Path) -> None:
    git(repository, "config", "format.attach", "true")
    git(repository, "config", "diff.noprefix", "true")

    series = find_series(["v1..main"], repository)

    assert sorted(subjects(series)) == ["fork: one", "fork: two", "readme: side"]
    assert [one.reason for one in series.skipped] == ["a merge"]
    assert {path for mail in series.patches for path in mail.diff.split() if b"fork.c" in path} == {
        b"a/kernel/fork.c",
        b"b/kernel/fork.c",
        b"kernel/fork.c",
    }


def test_files_and_ranges_follow_each_other_as_they_are_given(
    repository: Path, tmp_path: Path
) -> None:
    first = mailbox(tmp_path / "1.eml", Sent("[PATCH 1/2] a"))
    second = mailbox(tmp_path / "2.eml", Sent("[PATCH 2/2] b"))

    series = find_series([str(second), str(first), "v1..main^2", str(second)], repository)

    assert subjects(series) == ["a", "b", "readme: side", "b"]
    assert series.needs.base == git(repository, "rev-parse", "v1")


def test_of_several_words_the_one_that_is_no_series_is_named(tmp_path: Path) -> None:
    patch = mailbox(tmp_path / "1.eml", Sent("[PATCH] a"))

    with pytest.raises(SeriesError, match=r"'absent\.patch' is not a series: no such file"):
        find_series([str(patch), "absent.patch"], tmp_path)


def test_why_there_are_no_commits_is_one_line(repository: Path) -> None:
    with pytest.raises(SeriesError) as caught:
        find_series(["nope..main"], repository)

    assert "fatal: ambiguous argument 'nope..main'" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_letter_that_nobody_has_titled_gives_no_title(tmp_path: Path) -> None:
    letter = Sent("[PATCH 0/1] *** SUBJECT HERE ***", diff=False)
    box = mailbox(tmp_path / "box.mbox", letter, Sent("[PATCH 1/1] a"))

    series = read_paths([box])

    assert (series.title, series.cover is not None) == ("a", True)


def test_a_subject_in_the_text_of_a_mail_replaces_its_own(tmp_path: Path) -> None:
    body = "From: B <b@example.org>\nSubject: [PATCH v5 2/2] right\n\nWhy.\n"
    (patch,) = read_paths([mailbox(tmp_path / "x.eml", Sent("[PATCH] wrong 1", body=body))]).patches

    assert (patch.subject, patch.author) == ("right", "B <b@example.org>")
    assert patch.tags == SubjectTags(5, 2, 2)


@pytest.mark.parametrize(
    ("commits", "said"), [("v1..absent", "has no commits"), ("v1..v1", "contains no commit")]
)
def test_a_range_without_commits_is_refused(repository: Path, commits: str, said: str) -> None:
    with pytest.raises(SeriesError, match=said):
        find_series([commits], repository)


def test_what_is_nothing_is_refused_with_all_forms() -> None:
    with pytest.raises(
        SeriesError, match=r"no such file or directory. Expected a mail.*base\.\.tip"
    ):
        find_series(["absent"], Path())


@pytest.mark.parametrize("word", ["~nobody-of-that-name/x.patch", "x" * 300])
def test_a_word_that_can_be_no_file_is_an_error(word: str, tmp_path: Path) -> None:
    with pytest.raises(SeriesError):
        find_series([word], tmp_path)
