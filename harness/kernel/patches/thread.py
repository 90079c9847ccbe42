# SPDX-License-Identifier: Apache-2.0
"""Which mails of a thread are the series: topics, versions, postings that are sent again."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.base.cache import digest
from harness.base.errors import SeriesError
from harness.kernel.patches.diff import has_diff
from harness.kernel.patches.mail import Mail

JOINED = "put together by sender, version and numbers, as no thread connects it"
"""What is said of a series that was sent without a thread."""

MOST_NAMED = 5
"""Topics that a message names."""


@dataclass(frozen=True)
class Skipped:
    """A mail that is not a patch of the series, and the reason."""

    name: str
    subject: str
    reason: str


@dataclass(frozen=True)
class Arranged:
    """The patches of one batch in order, its cover letter, and the mails that are left out.

    *missing* are the patch numbers that no mail has; *note* says what is special about the series.
    *thread* are the mails from which it can be completed: of each version one posting, and replies.
    """

    patches: tuple[Mail, ...]
    cover: Mail | None = None
    skipped: tuple[Skipped, ...] = ()
    missing: tuple[int, ...] = ()
    note: str = ""
    thread: tuple[Mail, ...] = ()


def arrange(name: str, mails: Sequence[Mail]) -> Arranged:
    """Choose the newest version of the one series in *mails*, and put its patches in order.

    Raises SeriesError if there is more than one.
    """
    once, left = _once(mails)
    once = _counted_from_zero(_versioned(once))
    posts = [mail for mail in once if not mail.is_reply and _belongs(mail)]
    if not any(mail.is_patch for mail in posts):
        return _reply(once, left)
    threads = _topics(posts)
    joined = _rejoined(threads)
    topics = [one for one in joined if any(mail.is_patch for mail in one)]
    if len(topics) > 1 and not all(_is_lone(topic) for topic in topics):
        raise SeriesError(_several(name, topics))
    chosen = [mail for topic in topics for mail in _newest(topic)]
    newest = max(mail.tags.version for mail in chosen if mail.is_patch)
    left += [
        Skipped(mail.name, mail.subject, _why_not(mail, chosen, newest))
        for mail in once
        if mail not in chosen
    ]
    patches = tuple(in_order([mail for mail in chosen if mail.is_patch]))
    cover = next((mail for mail in reversed(chosen) if mail.is_cover), None)
    thread = _thread(once, topics[0], chosen) if len(topics) == 1 else ()
    note = JOINED if len(joined) < len(threads) else ""
    return Arranged(patches, cover, tuple(left), missing_numbers(patches), note, thread)


def in_order(patches: Sequence[Mail]) -> list[Mail]:
    """Sort by number if all are numbered."""
    if any(mail.tags.number is None for mail in patches):
        return list(patches)
    return sorted(patches, key=lambda mail: mail.tags.number or 0)


def missing_numbers(patches: Sequence[Mail]) -> tuple[int, ...]:
    """The numbers up to the total that the subjects say which no patch has."""
    total = max((mail.tags.total or 0 for mail in patches), default=0)
    there = {mail.tags.number for mail in patches}
    return tuple(number for number in range(1, total + 1) if number not in there)


def _once(mails: Sequence[Mail]) -> tuple[list[Mail], list[Skipped]]:
    """Each mail once: lists deliver the same mail again and again."""
    kept: dict[str, Mail] = {}
    left = []
    for mail in mails:
        key = mail.message_id or digest(
            mail.subject, f"{mail.tags} {mail.is_reply}", mail.message, mail.diff
        )
        if key in kept:
            left.append(Skipped(mail.name, mail.subject, "a duplicate"))
        else:
            kept[key] = mail
    return list(kept.values()), left


def _versioned(mails: Sequence[Mail]) -> list[Mail]:
    """Give patches without a version of their own that of the cover letter that they answer."""
    by_id = {mail.message_id: mail for mail in mails if mail.message_id}
    said = []
    for mail in mails:
        above = next((by_id[one] for one in mail.parents if one in by_id), None)
        inherits = above and above.is_cover and mail.tags.version == 1 and not mail.is_reply
        same = above and inherits and above.tags.total == mail.tags.total
        version = above.tags.version if above and same else mail.tags.version
        said.append(replace(mail, tags=replace(mail.tags, version=version)))
    return said


def _counted_from_zero(mails: Sequence[Mail]) -> list[Mail]:
    """Make a diff that is sent as 0/1, without a 1/1 beside it, the patch that it is."""
    firsts = {mail.tags.version for mail in mails if mail.tags.number == mail.tags.total == 1}
    return [
        replace(mail, tags=replace(mail.tags, number=1))
        if mail.is_cover
        and mail.tags.total == 1
        and mail.tags.version not in firsts
        and has_diff(mail.diff)
        else mail
        for mail in mails
    ]


def _belongs(mail: Mail) -> bool:
    return mail.is_patch or mail.is_cover


def _reply(mails: Sequence[Mail], left: Sequence[Skipped]) -> Arranged:
    """The one diff among replies, the patches that are attached to one of them, or nothing."""
    found = [mail for mail in mails if mail.is_patch]
    if len({mail.outer or mail.name for mail in found}) > 1:
        names = "; ".join(f'{mail.name} "{mail.subject}"' for mail in found)
        raise SeriesError(
            f"{len(found)} replies carry a diff: {names}. Expected a series, or one such reply; "
            "save the one to judge in a file of its own."
        )
    rest = [Skipped(mail.name, mail.subject, _kind(mail)) for mail in mails if mail not in found]
    note = "the patches of a reply" if len(found) > 1 else "the diff of a reply" if found else ""
    return Arranged(tuple(in_order(found)), None, (*left, *rest), (), note)


def _kind(mail: Mail) -> str:
    """Why a mail that is no part of any series is none."""
    if mail.is_reply:
        return "a reply that carries a diff" if mail.is_patch else "a reply"
    return "a cover letter" if mail.is_cover else "contains no diff"


def _why_not(mail: Mail, chosen: Sequence[Mail], newest: int) -> str:
    if mail.is_reply or not _belongs(mail):
        return _kind(mail)
    if mail.tags.version < newest:
        return f"of version {mail.tags.version}; the newest is {newest}"
    if mail.tags.version > newest:
        return f"letter of version {mail.tags.version}, without its patches"
    if any(_place(mail) == _place(one) for one in chosen):
        return "superseded: sent again"
    if mail.is_cover:
        return "another cover letter"
    return f"another patch in the thread, from {mail.sender or 'somebody'}"


def _thread(
    mails: Sequence[Mail], topic: Sequence[Mail], chosen: Sequence[Mail]
) -> tuple[Mail, ...]:
    """All *mails* but those of *topic* that were sent again, or are of another sender."""
    versions = {mail.tags.version for mail in topic} - {chosen[0].tags.version}
    older = [mail for version in versions for mail in _posted(topic, version)]
    return tuple(mail for mail in mails if mail not in topic or mail in chosen or mail in older)


def _topics(posts: Sequence[Mail]) -> list[list[Mail]]:
    """Group mails that a thread, a subject or the lack of an id connects; in file order."""
    groups: list[tuple[set[str], list[Mail]]] = []
    for mail in posts:
        keys = _connections(mail)
        touching = [group for group in groups if group[0] & keys]
        inside = [one for group in touching for one in group[1]]
        merged = (keys.union(*(group[0] for group in touching)), [*inside, mail])
        groups = [group for group in groups if group not in touching] + [merged]
    order = {mail.name: number for number, mail in enumerate(posts)}
    found = [sorted(group[1], key=lambda mail: order[mail.name]) for group in groups]
    return sorted(found, key=lambda group: order[group[0].name])


def _rejoined(topics: Sequence[list[Mail]]) -> list[list[Mail]]:
    """Join the topics that are parts of one series, which was sent without a thread.

    Some mail servers give mails new ids, and then no patch answers the first one.
    """
    joined: list[list[Mail]] = []
    for topic in topics:
        whole = next((one for one in joined if _are_parts(one, topic)), None)
        if whole is None:
            joined.append(topic)
        else:
            whole += topic
    return joined


def _are_parts(one: Sequence[Mail], other: Sequence[Mail]) -> bool:
    """Whether both have numbers of the same posting, and not the same numbers."""
    here, there = _places(one), _places(other)
    same = {place[:-1] for place in here} & {place[:-1] for place in there}
    return bool(same) and not here & there


def _places(topic: Sequence[Mail]) -> set[tuple[object, ...]]:
    """Sender, version, total and number of the mails of a series of several patches."""
    tagged = ((mail.sender, mail.tags) for mail in topic)
    return {
        (sender, tags.version, tags.total, tags.number)
        for sender, tags in tagged
        if (tags.total or 0) > 1
    }


def _connections(mail: Mail) -> set[str]:
    ids = {mail.message_id, *mail.parents} if mail.message_id else {"no id"}
    return {f"id {one}" for one in ids} | {f"subject {mail.subject.lower()}"}


def _is_lone(topic: Sequence[Mail]) -> bool:
    """Whether a topic is a patch for itself, without a number."""
    return all(mail.tags.total in (None, 1) for mail in topic)


def _newest(topic: Sequence[Mail]) -> list[Mail]:
    """The newest version of a topic; SeriesError if two patches have one number."""
    newest = max(mail.tags.version for mail in topic if mail.is_patch)
    return _posted(topic, newest, strict=True)


def _posted(topic: Sequence[Mail], version: int, strict: bool = False) -> list[Mail]:
    """A version of a topic: of one sender, and each number as it was sent last."""
    posting = _posting([mail for mail in topic if mail.tags.version == version])
    places: dict[object, Mail] = {}
    for mail in sorted(posting, key=lambda mail: mail.tags.resend):
        earlier = places.get(_place(mail), mail)
        if strict and earlier is not mail and not _supersedes(mail, earlier):
            raise SeriesError(
                f"{earlier.name} and {mail.name} are both patch {mail.tags.number} of "
                f"{mail.tags.total}. Expected one series; give its patches alone."
            )
        places[_place(mail)] = mail
    return [mail for mail in posting if mail in places.values()]


def _place(mail: Mail) -> object:
    """What a later posting of the same version replaces."""
    if mail.tags.number is None:  # files of other directories may have the same name
        return mail.subject.lower() if mail.message_id else (mail.name, mail.subject, mail.diff)
    return mail.tags.number


def _supersedes(later: Mail, earlier: Mail) -> bool:
    return later.tags.resend or later.subject.lower() == earlier.subject.lower()


def _posting(mails: Sequence[Mail]) -> list[Mail]:
    """The mails of one sender with one total: those of the first patch's; others are replies.

    Somebody may answer a series with a patch of his own, without "Re:".
    """
    ids = {mail.message_id for mail in mails if mail.message_id}
    tops = [mail for mail in mails if not ids.intersection(mail.parents)] or list(mails)
    by_size: Mapping[object, int] = _counted(_key(mail) for mail in mails)
    top = max(tops, key=lambda mail: by_size[_key(mail)])
    return [mail for mail in mails if _key(mail) == _key(top)]


def _key(mail: Mail) -> object:
    return (mail.sender, mail.tags.total) if mail.message_id else None


def _counted(keys: Iterable[object]) -> dict[object, int]:
    counts: dict[object, int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    return counts


def _several(name: str, topics: Sequence[Sequence[Mail]]) -> str:
    tops = [next((mail for mail in topic if mail.is_cover), topic[0]) for topic in topics]
    said = "; ".join(f'"{top.subject}" ({top.message_id or top.name})' for top in tops[:MOST_NAMED])
    more = f"; and {len(tops) - MOST_NAMED} more" if len(tops) > MOST_NAMED else ""
    advice = (
        f"Cut one out with: b4 mbox --use-local-mbox {name} MESSAGE-ID"
        if Path(name).is_file()
        else "Give the mails of one"
    )
    return f"{name} contains {len(topics)} series: {said}{more}. Expected one. {advice}"
