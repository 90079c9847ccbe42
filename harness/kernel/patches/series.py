# SPDX-License-Identifier: Apache-2.0
"""A patch series as data: its patches in order, its cover letter, and the skipped mails."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from harness.base.cache import Cache, digest
from harness.base.errors import SeriesError
from harness.kernel.patches.complete import completed
from harness.kernel.patches.diff import Patch
from harness.kernel.patches.files import Batch, RawMail, read_batches
from harness.kernel.patches.mail import Mail, parse_mails
from harness.kernel.patches.prerequisites import NONE, Prerequisites, needs_of
from harness.kernel.patches.thread import Arranged, Skipped, arrange

STORED = Cache("series")

_UNSAFE = re.compile(r"[^A-Za-z0-9]+")

UNTITLED = "*** SUBJECT HERE ***"
"""The subject that ``git format-patch`` gives a cover letter, for the author to replace."""

NAME_LENGTH = 52
"""Most characters of a subject in the name of a patch file, as in ``git format-patch``."""


@dataclass(frozen=True)
class Series:
    """Patches in the order in which they apply.

    *origin* is the user's argument; *missing* are the patch numbers that no mail has; *note* says
    what is special about it, such as that it is the diff of a reply; *needs* what it says it needs.
    """

    origin: str
    patches: tuple[Mail, ...]
    cover: Mail | None = None
    skipped: tuple[Skipped, ...] = ()
    missing: tuple[int, ...] = ()
    note: str = ""
    needs: Prerequisites = NONE

    @property
    def title(self) -> str:
        """The subject of the cover letter, or of the first patch if it has none."""
        if self.cover and self.cover.subject != UNTITLED:
            return self.cover.subject
        return self.patches[0].subject

    @property
    def remarks(self) -> Iterator[str]:
        """What a person should know about how it was read, a line each."""
        if self.note:
            yield f"this is {self.note}"
        if self.missing:
            numbers = ", ".join(map(str, self.missing))
            yield f"missing, by the subjects' numbers: patch {numbers}"
        for one in self.skipped:
            yield f'left out: {one.name} "{one.subject}": {one.reason}'
        if self.needs:
            yield f"the series says that it needs: {self.needs}"

    def label(self, position: int) -> str:
        """Name position *position* (0: the base) for messages."""
        if position == 0:
            return "the base"
        return f'patch {position}/{len(self.patches)} "{self.patches[position - 1].subject}"'


def read_paths(paths: Sequence[Path], origin: str = "") -> Series:
    """Read patch files, mailboxes, Maildirs and directories; SeriesError if there is no patch.

    The mails of a mailbox or directory are sorted by their ``[PATCH n/m]``, and so are single files
    given one after the other; a quilt ``series`` file keeps its own order.
    """
    parts = [_arranged(batch) for batch in read_batches(paths)]
    return _joined(origin or " ".join(map(str, paths)), parts)


def read_mails(mails: Sequence[RawMail], origin: str) -> Series:
    """Read the mails of one mailbox; SeriesError if there is no patch."""
    return _joined(origin, [_arranged(Batch(origin, tuple(mails)))])


def join_series(parts: Sequence[Series]) -> Series:
    """The patches of several series, one after the other; letter and needs are the first's."""
    if len(parts) == 1:
        return parts[0]
    return Series(
        " ".join(part.origin for part in parts),
        tuple(mail for part in parts for mail in part.patches),
        next((part.cover for part in parts if part.cover), None),
        tuple(one for part in parts for one in part.skipped),
        tuple(number for part in parts for number in part.missing),
        "; ".join(dict.fromkeys(part.note for part in parts if part.note)),
        next((part.needs for part in parts if part.needs), NONE),
    )


def read_series(paths: Sequence[Path]) -> tuple[Patch, ...]:
    """The patches that *paths* name, as :func:`read_paths` reads them; none for no paths."""
    if not paths:
        return ()
    return patches_of(read_paths(paths))


def patches_of(series: Series) -> tuple[Patch, ...]:
    """The patches of *series* as they are applied."""
    return tuple(Patch(mail.name, mail.diff, mail.subject) for mail in series.patches)


def store_prefix(series: Series, length: int) -> tuple[Path, ...]:
    """Write the first *length* patches to a cache directory, for ``KernelSpec.series``."""
    patches = series.patches[:length]
    if not patches:
        return ()
    files = {_file_name(number, mail): mail.diff for number, mail in enumerate(patches, 1)}
    parts = [part for name, data in files.items() for part in (name, data)]
    return (STORED.get(digest(*parts), partial(_write, files)),)


def _write(files: Mapping[str, bytes], directory: Path) -> None:
    for name, data in files.items():
        (directory / name).write_bytes(data)


def _file_name(number: int, mail: Mail) -> str:
    slug = _UNSAFE.sub("-", mail.subject.removesuffix(".patch")).strip("-")
    return f"{number:04}-{slug[:NAME_LENGTH].strip('-') or 'patch'}.patch"


def _parsed(batch: Batch) -> tuple[list[Mail], list[Skipped]]:
    """The mails of a batch; one that cannot be understood is skipped."""
    mails, skipped = list[Mail](), list[Skipped]()
    for raw in batch.mails:
        try:
            parsed = parse_mails(raw.name, raw.text)
            mails += parsed
            skipped += [
                Skipped(f"{mail.name}:{name}", mail.subject, "attached to a mail with a diff")
                for mail in parsed
                for name in mail.beside
            ]
        except Exception as fault:  # also what Python's own reader of mails did not foresee
            skipped.append(Skipped(raw.name, "", f"not understood: {fault}"))
    return mails, skipped


def _arranged(batch: Batch) -> Arranged:
    mails, skipped = _parsed(batch)
    if batch.sorted:
        patches = tuple(mail for mail in mails if mail.is_patch)
        cover = next((mail for mail in mails if mail.is_cover), None)
        rest = (mail for mail in mails if not mail.is_patch and mail is not cover)
        skipped += [Skipped(mail.name, mail.subject, "contains no diff") for mail in rest]
        return Arranged(patches, cover, tuple(skipped))
    found = completed(arrange(batch.name, mails))
    return replace(found, skipped=(*skipped, *found.skipped))


def _joined(origin: str, parts: Sequence[Arranged]) -> Series:
    skipped = tuple(one for part in parts for one in part.skipped)
    patches = tuple(mail for part in parts for mail in part.patches)
    if not patches:
        names = "; ".join(f"{one.name} ({one.reason})" for one in skipped) or "nothing"
        raise SeriesError(f"{origin} contains no diff. Expected a patch; found: {names}.")
    cover = next((part.cover for part in parts if part.cover), None)
    return Series(
        origin,
        patches,
        cover,
        skipped,
        tuple(number for part in parts for number in part.missing),
        "; ".join(dict.fromkeys(part.note for part in parts if part.note)),
        needs_of(cover, patches),
    )
