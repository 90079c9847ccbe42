# SPDX-License-Identifier: Apache-2.0
"""Lines of code in a file of the kernel, and the options without which each is not compiled.

Known are ``#ifdef``, ``#ifndef`` and ``#if`` with ``defined()`` or ``IS_ENABLED()`` of options that
are joined by ``&&``, the entries of a Kconfig file, and ``obj-$(CONFIG_X)`` of a Makefile. What
other conditions say is not known: their lines need nothing.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

NOT = "!"
"""Precedes an option that must be off."""

_TOKENS = re.compile(r"//[^\n]*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'", re.DOTALL)
_DIRECTIVE = re.compile(r"#\s*(ifdef|ifndef|if|elif|else|endif)\b\s*(.*)")
_ATOM = re.compile(
    r"(!?)\s*(?:defined\s*\(?\s*|IS_(?:ENABLED|BUILTIN|MODULE|REACHABLE)\s*\(\s*)CONFIG_(\w+)\s*\)?"
)
_OPTION = re.compile(r"CONFIG_(\w+)$")
_ENTRY = re.compile(r"(?:menu)?config\s+(\w+)$")
_HEAD = re.compile(r"(?:[A-Za-z_][^;=#(]*\W)?([A-Za-z_]\w*)\((?!.*;\s*$)")
"""The first line of a function's definition, or its name's: it is not indented."""

_RULE = re.compile(r"([\w.-]+)-(?:\$\(CONFIG_(\w+)\)|[ym]|objs)\s*[:+]?=\s*(.*)")

Options = frozenset[str]
"""Options that must be on, and with NOT those that must be off."""


@dataclass(frozen=True)
class CodeLine:
    """A line of code without its indentation, and what it needs to be compiled.

    *function* is the one that it is in; lines that only moved to another one are equal.
    """

    text: str
    options: Options = frozenset()
    function: str = field(default="", compare=False)


def code_lines(path: str, text: str) -> Iterator[CodeLine]:
    """The lines of *text*, the file at *path*, that are neither empty nor comments."""
    name = path.rpartition("/")[2]
    if name.startswith("Kconfig"):
        return _kconfig_lines(text)
    if name in ("Makefile", "Kbuild") or name.startswith("Makefile."):
        return _makefile_lines(text)
    return _c_lines(text)


def _c_lines(text: str) -> Iterator[CodeLine]:
    plain = _TOKENS.sub(_without_comment, text).replace("\\\n", " ")
    blocks: list[Options] = []
    function = ""
    for whole in plain.splitlines():
        line = whole.strip()
        if not (found := _DIRECTIVE.match(line)):
            function = head[1] if (head := _HEAD.match(whole)) else function
            if line:
                needs = frozenset[str]().union(*blocks)
                yield CodeLine(" ".join(line.split()), needs, function)
            function = "" if whole.startswith("}") else function
            continue
        kind, condition = found[1], found[2].strip()
        if kind in ("else", "elif", "endif"):
            before = blocks.pop() if blocks else frozenset()
            if kind != "endif":
                blocks.append(_opposite(before) if kind == "else" else _needed(kind, condition))
        else:
            blocks.append(_needed(kind, condition))


def _without_comment(found: re.Match[str]) -> str:
    word = found[0]
    return " " + "\n" * word.count("\n") if word.startswith(("//", "/*")) else word


def _needed(kind: str, condition: str) -> Options:
    """What a condition needs; nothing if it is not only options joined by ``&&``."""
    if kind in ("ifdef", "ifndef"):
        found = _OPTION.match(condition)
        return (
            frozenset({found[1] if kind == "ifdef" else NOT + found[1]}) if found else frozenset()
        )
    atoms = [_ATOM.fullmatch(part.strip()) for part in condition.split("&&")]
    return frozenset(one[1] + one[2] for one in atoms if one) if all(atoms) else frozenset()


def _opposite(options: Options) -> Options:
    """What ``#else`` needs: known for one option only."""
    if len(options) != 1:
        return frozenset()
    (one,) = options
    return frozenset({one.removeprefix(NOT) if one.startswith(NOT) else NOT + one})


def _kconfig_lines(text: str) -> Iterator[CodeLine]:
    """Each line of an entry needs the entry's option: off, it changes nothing."""
    entry: Options = frozenset()
    for line in _uncommented(text):
        if found := _ENTRY.match(line):
            entry = frozenset({found[1]})
        yield CodeLine(line, entry)


def _makefile_lines(text: str) -> Iterator[CodeLine]:
    for line in _uncommented(text):
        found = _RULE.match(line)
        yield CodeLine(line, frozenset({found[2]} if found and found[2] else ()))


def _uncommented(text: str) -> Iterator[str]:
    lines = (line.partition("#")[0].strip() for line in text.replace("\\\n", " ").splitlines())
    return (line for line in lines if line)


def added_options(before: str, after: str) -> tuple[str, ...]:
    """The options that Kconfig text *after* has and *before* has not."""
    had, has = (
        [found[1] for line in _uncommented(text) if (found := _ENTRY.match(line))]
        for text in (before, after)
    )
    return tuple(one for one in dict.fromkeys(has) if one not in had)


def object_options(makefile: str) -> Mapping[str, Options]:
    """What each object that *makefile* names needs, by its name without ``.o``."""
    rules = [found for line in _uncommented(makefile) if (found := _RULE.match(line))]
    needs: dict[str, Options] = {}
    for whole in (True, False):  # parts of an object need what the whole needs
        for found in (one for one in rules if (one[1] in ("obj", "lib")) == whole):
            own = frozenset({found[2]} if found[2] else ())
            around = frozenset() if whole else needs.get(found[1], frozenset())
            for word in found[3].split():
                if word.endswith(".o"):
                    needs.setdefault(word.removesuffix(".o"), own | around)
    return needs
