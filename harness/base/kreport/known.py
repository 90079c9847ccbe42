# SPDX-License-Identifier: Apache-2.0
"""Explanations of known titles: known.toml, one entry for each bug."""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from harness.base.errors import InputError

LIST = Path(__file__).with_name("known.toml")

_FIELDS = {"title", "about", "links"}


@dataclass(frozen=True)
class KnownReport:
    """An explanation of titles; regular expression *title* must match the whole title."""

    title: re.Pattern[str]
    about: str
    links: tuple[str, ...]


def read_known(text: str) -> tuple[KnownReport, ...]:
    """The entries of a list; InputError names the entry that is wrong."""
    try:
        entries = tomllib.loads(text).get("known", [])
        return tuple(_known(entry) for entry in entries)
    except (tomllib.TOMLDecodeError, re.error) as fault:
        raise InputError(f"the list of known reports cannot be read: {fault}") from fault


def _known(entry: dict[str, object]) -> KnownReport:
    about, links = entry.get("about"), entry.get("links")
    if set(entry) != _FIELDS or not isinstance(links, list) or not links or not about:
        raise InputError(
            f"an entry of the list of known reports must have just title, about and links: "
            f"{entry!r}"
        )
    return KnownReport(re.compile(str(entry["title"])), str(about), tuple(map(str, links)))


@cache
def known_reports() -> tuple[KnownReport, ...]:
    """The entries of known.toml."""
    return read_known(LIST.read_text())


def known_report(title: str, entries: tuple[KnownReport, ...] | None = None) -> KnownReport | None:
    """The first entry that matches *title*, from known.toml unless *entries* are given."""
    known = known_reports() if entries is None else entries
    return next((one for one in known if one.title.fullmatch(title)), None)
