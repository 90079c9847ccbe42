# SPDX-License-Identifier: Apache-2.0
"""Read a TOML table; errors name the place in the file."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.base.errors import InputError

UNITS: Mapping[str, float] = {"s": 1.0, "min": 60.0, "h": 3600.0}

_DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|min|h)\s*")


@dataclass(frozen=True)
class Table:
    """One table: *place* names it in errors, relative paths in it start at *folder*.

    Every reader raises InputError for a value of another type; a reader with a default returns
    that for a name that is not there.
    """

    place: str
    content: Mapping[str, Any]
    folder: Path
    _read: set[str] = field(default_factory=set)

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the table."""
        return tuple(self.content)

    def at(self, name: str) -> "Table":
        """The table *name*, empty if there is none."""
        found = self._take(name, dict, "a table", {})
        return Table(f"{self.place}: {name}", found, self.folder)

    def tables(self, name: str) -> Iterator[tuple[str, "Table"]]:
        """The tables of the table *name*, by their names."""
        outer = self.at(name)
        for inner in outer.names:
            found = outer._take(inner, dict, "a table", {})
            yield inner, Table(f"{self.place}: {name}.{inner}", found, self.folder)

    def list_of_tables(self, name: str) -> list["Table"]:
        """The tables ``[[name]]``, in order."""
        found = self._take(name, list, f"[[{name}]]", [])
        if not all(isinstance(one, dict) for one in found):
            raise self._wrong(name, f"[[{name}]]", found)
        places = (f"{self.place}: {name} number {number}" for number in range(1, len(found) + 1))
        return [Table(place, one, self.folder) for place, one in zip(places, found, strict=True)]

    def text(self, name: str, default: str | None = None) -> str:
        """A text."""
        return str(self._take(name, str, "a text", default))

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of texts, empty if it is not there."""
        found = self._take(name, list, "a list of texts", [])
        if not all(isinstance(one, str) for one in found):
            raise self._wrong(name, "a list of texts", found)
        return tuple(found)

    def paths(self, name: str) -> tuple[Path, ...]:
        """A list of existing paths."""
        found = tuple(self.folder / Path(one).expanduser() for one in self.texts(name))
        for path in found:
            if not path.exists():
                raise InputError(f"{self.place}: {name}: {path} does not exist.")
        return found

    def number(self, name: str, default: int, at_least: int | None = None) -> int:
        """A whole number."""
        found = self._take(name, int, "a whole number", default)
        if isinstance(found, bool) or (at_least is not None and found < at_least):
            limit = "" if at_least is None else f" of {at_least} or more"
            raise self._wrong(name, f"a whole number{limit}", found)
        return int(found)

    def seconds(self, name: str) -> float | None:
        """A time such as ``"1 h 30 min"`` in seconds, None if it is not there."""
        found = self._take(name, str, 'a time such as "1 h 30 min"', "")
        if not found:
            return None
        try:
            return parse_seconds(found)
        except InputError as fault:
            raise InputError(f"{self.place}: {name}: {fault}") from fault

    def one_of(self, name: str, choices: tuple[str, ...], default: str) -> str:
        """One of a few texts."""
        found = self.text(name, default)
        if found not in choices:
            raise self._wrong(name, f"one of {', '.join(choices)}", found)
        return found

    def names_among(self, name: str, known: Mapping[str, Any]) -> tuple[str, ...]:
        """A list of names from *known*; all of them if it is missing."""
        found = self.texts(name) or tuple(known)
        for one in found:
            if one not in known:
                there = ", ".join(known)
                raise InputError(f"{self.place}: {name}: unknown name '{one}'. Known are: {there}.")
        return found

    def nothing_else(self, *also: str) -> None:
        """Raise InputError for a name that was not read and is not in *also*."""
        for name in self.content:
            if name not in self._read and name not in also:
                known = ", ".join(sorted(self._read | set(also)))
                raise InputError(f"{self.place}: '{name}' is unknown here. Known are: {known}.")

    def _take(self, name: str, kind: type, expected: str, default: Any) -> Any:
        self._read.add(name)
        found = self.content.get(name, default)
        if found is None:
            raise InputError(f"{self.place}: '{name}' is missing. Expected {expected}.")
        if not isinstance(found, kind):
            raise self._wrong(name, expected, found)
        return found

    def _wrong(self, name: str, expected: str, found: object) -> InputError:
        return InputError(f"{self.place}: {name}: expected {expected}, found {found!r}.")


def parse_seconds(text: str) -> float:
    """Read ``"8 h"``, ``"1 h 30 min"`` or ``"45 s"``; InputError for anything else."""
    parts = list(_DURATION.finditer(text))
    if not parts or "".join(part[0] for part in parts) != text:
        raise InputError(
            f"'{text}' is not a time. Expected for example '8 h', '1 h 30 min', '45 s'."
        )
    return sum(float(part[1]) * UNITS[part[2]] for part in parts)
