# SPDX-License-Identifier: Apache-2.0
"""A patch series as data: its patches in order, its cover letter, and the skipped mails."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness.base.cache import Cache, digest
from harness.base.errors import SeriesError
from harness.kernel.patches.files import is_mail, patch_files, read_file, split_mailbox
from harness.kernel.patches.mail import Mail, parse_mail

STORED = Cache("series")

_UNSAFE = re.compile(r"[^A-Za-z0-9]+")

NAME_LENGTH = 52
"""Most characters of a subject in the name of a patch file, as in ``git format-patch``."""


@dataclass(frozen=True)
class Skipped:
    """A mail that is not a patch of the series, and the reason."""

    name: str
    subject: str
    reason: str


@dataclass(frozen=True)
class Series:
    """Patches in the order in which they apply.

    *origin* is the user's argument; *missing* are the patch numbers that no mail has.
    """

    origin: str
    patches: tuple[Mail, ...]
    cover: Mail | None = None
    skipped: tuple[Skipped, ...] = ()
    missing: tuple[int, ...] = ()

    @property
    def title(self) -> str:
        """The subject of the cover letter, or of the first patch without one."""
        return (self.cover or self.patches[0]).subject

    def label(self, position: int) -> str:
        """Name position *position* (0: the base) for messages."""
        if position == 0:
            return "the base"
        return f'patch {position}/{len(self.patches)} "{self.patches[position - 1].subject}"'


def read_paths(paths: Sequence[Path], origin: str = "") -> Series:
    """Read patch files, mailboxes and directories; SeriesError if there is no patch.

    The mails of a mailbox or directory are sorted by their ``[PATCH n/m]``, and so are single files
    given one after the other; a quilt ``series`` file keeps its own order.
    """
    groups: list[tuple[bool, list[Mail]]] = []
    single: list[Mail] = []
    for path in paths:
        files = patch_files(path)
        mails = [mail for file in files for mail in _mails(file)]
        if path.is_file() and len(mails) == 1:
            if not single:
                groups.append((True, single))
            single += mails
        else:
            groups.append((not (path / "series").is_file(), mails))
            single = []
    parts = [_arrange(mails, counted) for counted, mails in groups]
    return _join(origin or " ".join(map(str, paths)), parts)


def store_prefix(series: Series, length: int) -> tuple[Path, ...]:
    """Write the first *length* patches to a cache directory, for ``KernelSpec.series``."""
    patches = series.patches[:length]
    if not patches:
        return ()
    names = [_file_name(number, mail) for number, mail in enumerate(patches, 1)]
    parts = [part for name, mail in zip(names, patches, strict=True) for part in (name, mail.diff)]
    return (STORED.get(digest(*parts), partial(_write, dict(zip(names, patches, strict=True)))),)


def _write(files: dict[str, Mail], directory: Path) -> None:
    for name, mail in files.items():
        (directory / name).write_bytes(mail.diff)


def _file_name(number: int, mail: Mail) -> str:
    slug = _UNSAFE.sub("-", mail.subject.removesuffix(".patch")).strip("-")
    return f"{number:04}-{slug[:NAME_LENGTH].strip('-') or 'patch'}.patch"


def _mails(file: Path) -> list[Mail]:
    text = read_file(file)
    if not is_mail(text):
        return [parse_mail(file.name, text)]
    return [parse_mail(name, mail) for name, mail in split_mailbox(file)]


def _arrange(mails: Sequence[Mail], counted: bool) -> Series | Sequence[Skipped]:
    """Make a series of *mails*, in the order of their numbers if *counted*."""
    newest = max((one.tags.version for one in mails if _belongs(one)), default=1)
    kept: dict[str, Mail] = {}
    skipped = []
    for mail in mails:
        key = mail.message_id or digest(mail.subject, mail.diff)
        if reason := _why_not(mail, newest, key in kept):
            skipped.append(Skipped(mail.name, mail.subject, reason))
        else:
            kept[key] = mail
    cover = next((mail for mail in kept.values() if mail.is_cover), None)
    patches = [mail for mail in kept.values() if mail.is_patch]
    if not patches:
        notes = [Skipped(cover.name, cover.subject, "a cover letter")] if cover else []
        return [*skipped, *notes]
    ordered = _in_order(patches) if counted else patches
    return Series("", tuple(ordered), cover, tuple(skipped), _missing(patches))


def _belongs(mail: Mail) -> bool:
    return not mail.is_reply and (mail.is_patch or mail.is_cover)


def _why_not(mail: Mail, newest: int, twice: bool) -> str:
    """Why *mail* is not part of the series; empty if it is."""
    if mail.is_reply:
        return "a reply"
    if not _belongs(mail):
        return "contains no diff"
    if mail.tags.version < newest:
        return f"of version {mail.tags.version}; the newest is {newest}"
    return "a duplicate" if twice else ""


def _in_order(patches: Sequence[Mail]) -> Sequence[Mail]:
    """Sort by number, if all count to the same total; SeriesError if two have one number."""
    totals = {mail.tags.total for mail in patches}
    if len(totals) > 1 or None in totals:
        return patches
    numbered = {mail.tags.number or 0: mail for mail in reversed(patches)}
    for mail in patches:
        if numbered[mail.tags.number or 0] is not mail:
            other = numbered[mail.tags.number or 0]
            raise SeriesError(
                f"{other.name} and {mail.name} are both patch {mail.tags.number} of "
                f"{mail.tags.total}. Expected one series; give its patches alone."
            )
    return [numbered[number] for number in sorted(numbered)]


def _missing(patches: Sequence[Mail]) -> tuple[int, ...]:
    totals = {mail.tags.total for mail in patches}
    (total,) = totals if len(totals) == 1 else (None,)
    there = {mail.tags.number for mail in patches}
    return tuple(number for number in range(1, (total or 0) + 1) if number not in there)


def _join(origin: str, parts: Sequence[Series | Sequence[Skipped]]) -> Series:
    whole = [part for part in parts if isinstance(part, Series)]
    left = [one for part in parts if not isinstance(part, Series) for one in part]
    if not whole:
        names = "; ".join(f"{one.name} ({one.reason})" for one in left)
        raise SeriesError(f"{origin} contains no patch. Expected a diff; found: {names}.")
    first = next((part for part in whole if part.cover), whole[0])
    return replace(
        first,
        origin=origin,
        patches=tuple(mail for part in whole for mail in part.patches),
        skipped=(*(one for part in whole for one in part.skipped), *left),
        missing=tuple(number for part in whole for number in part.missing),
    )
