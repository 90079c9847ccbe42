# SPDX-License-Identifier: Apache-2.0
"""What kbuild recorded about objects: which are to be compiled again, and from what they are made.

Beside each object lies ``.NAME.o.cmd`` (Linux, scripts/basic/fixdep.c), which lists the source,
every header, and as ``$(wildcard include/config/NAME)`` every configuration option that it uses.
Reading these takes a fraction of a second, where a dry run of make takes several.
"""

import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

_CLOSING = b")"


def count_stale(output: Path) -> int:
    """Return how many objects in build directory *output* are older than what they depend on.

    Objects that were never compiled do not count: kbuild has no record of them.
    """
    compiled = {record: _product_time(record) for record in output.rglob(".*.o.cmd")}
    if not compiled:
        return 0
    names = {name for record in compiled for name in _names(record)}
    changed = _newer_than(min(compiled.values()), output, names)
    return sum(
        any(changed[name] > age for name in changed.keys() & _names(record))
        for record, age in compiled.items()
        if changed
    )


def recorded_inputs(objects: Path, output: Path) -> set[str]:
    """The files that the objects in folder *objects* were made from, as named in *output*."""
    words = {word for record in objects.glob(".*.o.cmd") for word in _names(record)}
    names = {_name(word) for word in words if _may_name(word)}
    return {name for name in names if (output / name).is_file()}


def _product_time(record: Path) -> float:
    """Modification time of the object of *record*, epoch in seconds; 0 if it is gone."""
    try:
        return record.with_name(record.name[1:].removesuffix(".cmd")).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _names(record: Path) -> frozenset[bytes]:
    """Every word of *record*; the names of files that the object depends on are among them."""
    return frozenset(record.read_bytes().split())


def _may_name(word: bytes) -> bool:
    """Whether *word* of a record may be a path: it is neither an option nor a make variable."""
    return b"/" in word and not word.startswith(b"-")


def _name(word: bytes) -> str:
    return word.rstrip(_CLOSING).decode()


def _newer_than(limit: float, output: Path, names: Iterable[bytes]) -> Mapping[bytes, float]:
    """Return those of *names* that are files changed after *limit*, with their times."""
    times = {}
    for name in names:
        if _may_name(name):
            try:
                status = (output / _name(name)).stat()
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode) and status.st_mtime > limit:
                times[name] = status.st_mtime
    return times
