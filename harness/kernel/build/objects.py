# SPDX-License-Identifier: Apache-2.0
"""How many objects a build still has to compile, from the dependencies that kbuild wrote down.

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

    Objects that were never compiled do not count: of those nothing is written down yet.
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


def _product_time(record: Path) -> float:
    """When the object that *record* tells of was compiled; never, if it is gone."""
    try:
        return record.with_name(record.name[1:].removesuffix(".cmd")).stat().st_mtime
    except FileNotFoundError:
        return 0.0


def _names(record: Path) -> frozenset[bytes]:
    """Every word of *record*, among which are the names of the files the object depends on."""
    return frozenset(record.read_bytes().split())


def _newer_than(limit: float, output: Path, names: Iterable[bytes]) -> Mapping[bytes, float]:
    """Return which of *names* are files that changed after *limit*, and when."""
    times = {}
    for name in names:
        if b"/" in name and not name.startswith(b"-"):
            try:
                status = (output / name.rstrip(_CLOSING).decode()).stat()
            except OSError:
                continue
            if stat.S_ISREG(status.st_mode) and status.st_mtime > limit:
                times[name] = status.st_mtime
    return times
