# SPDX-License-Identifier: Apache-2.0
"""What the rest of a thread adds to its patches: trailers of replies, patches not sent again."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.base.errors import ToolError
from harness.kernel.patches.b4 import Picked, pick
from harness.kernel.patches.mail import Mail
from harness.kernel.patches.thread import Arranged, in_order, missing_numbers


def completed(found: Arranged) -> Arranged:
    """Complete a series with b4, if its thread has more than the series itself.

    A thread that b4 cannot read leaves *found* as it is, with a note.
    """
    own = [*found.patches, *([found.cover] if found.cover else [])]
    if len(found.thread) <= len(own):
        return found
    thread = _with_answers(found)
    versions = sorted({mail.tags.version for mail in thread if not mail.is_reply})
    ranks = {version: rank for rank, version in enumerate(versions, 1)}
    try:
        picked = pick(thread, ranks)
    except (ToolError, ValueError) as fault:
        return replace(found, note=f"read without the trailers of its replies: {fault}")
    return _merged(found, thread, picked)


def _merged(found: Arranged, thread: Sequence[Mail], picked: Sequence[Picked]) -> Arranged:
    """Take over what b4 picked, unless it has not all patches of *found*."""
    chosen = [_with_trailers(thread[one.position], one) for one in picked]
    names = {mail.name for mail in chosen}
    if not names.issuperset(mail.name for mail in found.patches):
        return found
    patches = tuple(in_order(chosen))
    cover = found.cover or _letter_of(patches, thread)
    names |= {cover.name} if cover else set()
    return replace(
        found,
        patches=patches,
        cover=cover,
        skipped=tuple(one for one in found.skipped if one.name not in names),
        missing=missing_numbers(patches),
        note=_mixture(found.patches, patches) or found.note,
    )


def _letter_of(patches: Sequence[Mail], thread: Sequence[Mail]) -> Mail | None:
    """The cover letter of the newest version that has both patches and a letter."""
    versions = {mail.tags.version for mail in patches}
    letters = [mail for mail in thread if mail.is_cover and mail.tags.version in versions]
    return max(letters, key=lambda mail: mail.tags.version, default=None)


def _with_trailers(mail: Mail, picked: Picked) -> Mail:
    collected = tuple(one for one in picked.trailers if one not in mail.trailers)
    return replace(mail, trailers=(*mail.trailers, *collected), collected=collected)


def _with_answers(found: Arranged) -> list[Mail]:
    """The thread, in which each patch of an incomplete version answers the one it replaces.

    b4 completes a version only if each of its patches is the reply to the patch of that number of
    the version before. People answer the cover letter, the review, or nothing, just as well. A
    version that has a letter, or answers a mail of its own, was sent whole: what it lacks is lost.
    """
    thread = list(found.thread)
    if not found.missing:
        return thread
    newest = found.patches[0].tags.version
    by_id = {mail.message_id: mail for mail in thread}
    older = _complete_before(thread, newest)
    if found.cover or not older:
        return thread
    if not all(_replaces(mail, older.get(mail.tags.number), by_id) for mail in found.patches):
        return thread
    return [
        replace(mail, parents=(older[mail.tags.number].message_id, *mail.parents))
        if mail in found.patches and mail.tags.number in older
        else mail
        for mail in thread
    ]


def _complete_before(thread: Sequence[Mail], newest: int) -> Mapping[int | None, Mail]:
    """The patches of the version before *newest*, by number."""
    older = [
        mail
        for mail in thread
        if mail.is_patch and not mail.is_reply and mail.tags.version < newest
    ]
    last = max((mail.tags.version for mail in older), default=0)
    return {mail.tags.number: mail for mail in older if mail.tags.version == last}


def _replaces(mail: Mail, older: Mail | None, by_id: Mapping[str, Mail]) -> bool:
    """Whether the nearest post that *mail* answers is of an older version.

    If it answers none, whether it is the patch *older* by subject and sender.
    """
    above = [by_id[one] for one in mail.parents if one in by_id]
    if post := next((one for one in above if not one.is_reply), None):
        return post.tags.version < mail.tags.version
    return older is not None and (older.subject, older.sender) == (mail.subject, mail.sender)


def _mixture(newest: Sequence[Mail], whole: Sequence[Mail]) -> str:
    """What is said of a series that older patches complete."""
    taken = [mail for mail in whole if mail.name not in {one.name for one in newest}]
    if not taken:
        return ""
    versions = sorted({mail.tags.version for mail in taken})
    numbers = ", ".join(str(mail.tags.number) for mail in taken)
    older = ", ".join(map(str, versions))
    return (
        f"version {newest[0].tags.version} with patch {numbers} of version {older}, which "
        f"{'was' if len(taken) == 1 else 'were'} not sent again"
    )
