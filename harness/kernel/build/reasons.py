# SPDX-License-Identifier: Apache-2.0
"""Explain from the tree's Kconfig files why a kernel option was not set as wanted.

This reads Kconfig (Linux 6.12, Documentation/kbuild/kconfig-language.rst) as far as an error
message needs: entries, their prompts and dependencies, and the conditions around them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

_ENTRY = re.compile(r"(?:menu)?config\s+(\w+)$")
_OPEN = re.compile(r"(menu|choice|if)\b\s*(.*)$")
_CLOSE = re.compile(r"end(menu|choice|if)\b")
_SOURCE = re.compile(r"source\s+\"([^\"]+)\"")
_DEPENDS = re.compile(r"(?:depends on|visible if)\s+(.+)$")
_PROMPT = re.compile(r"(?:bool|tristate|string|int|hex|prompt)\s+\"([^\"]*)\"(?:\s+if\s+(.+))?$")
_SYMBOL = re.compile(r"\b[A-Z0-9_]*[A-Z][A-Z0-9_]*\b")


@dataclass
class KconfigEntry:
    """One definition of an option: whether it can be set by hand, and under which conditions."""

    symbol: str
    prompt: bool = False
    conditions: list[str] = field(default_factory=list)


@dataclass
class _Walk:
    """State of a walk through Kconfig files: the conditions of all blocks around the line."""

    root: Path
    blocks: list[list[str]] = field(default_factory=list)


def explain_missing(entries: Iterable[KconfigEntry], symbol: str, config: Mapping[str, str]) -> str:
    """Say why *symbol*, in a tree with *entries*, does not have the wanted value in *config*."""
    entries = [entry for entry in entries if entry.symbol == symbol]
    if not entries:
        return "this source has no such option; it may have another name in this version"
    unmet = [_unmet(entry, config) for entry in entries]
    if all(unmet):
        return "Kconfig asks for " + ", or for ".join(unmet)
    if not any(entry.prompt for entry in entries):
        return "it cannot be set by hand; other options select it"
    value = config.get(symbol)
    if value is None:
        return (
            "Kconfig did not accept the value; the option may have another type, or be in a choice"
        )
    return f"it is {value}; it may be selected by another option, or out of its range"


def _unmet(entry: KconfigEntry, config: Mapping[str, str]) -> str:
    """Return the conditions of *entry* that name options which are not set; empty if none is."""
    parts = []
    for condition in entry.conditions:
        absent = [name for name in _SYMBOL.findall(condition) if name not in config]
        negated = [name for name in re.findall(r"!(\w+)", condition) if name in config]
        if "||" in condition and len(absent) < len(_SYMBOL.findall(condition)) and not negated:
            continue
        plain = [name for name in absent if f"!{name}" not in condition]
        notes = [f"{name} is not set" for name in plain]
        notes += [f"{name} is {config[name]}" for name in negated]
        if notes:
            parts.append(f"'{condition}', and {', '.join(notes)}")
    return "; ".join(parts)


def read_entries(source: Path) -> Iterator[KconfigEntry]:
    """Yield every definition of every option, as arm64 sees the tree."""
    yield from _read_file(_Walk(source), "Kconfig")


def _read_file(walk: _Walk, name: str) -> Iterator[KconfigEntry]:
    path = walk.root / name.replace("$(SRCARCH)", "arm64").replace("$(HEADER_ARCH)", "arm64")
    if not path.is_file():
        return
    entry: KconfigEntry | None = None
    for line in _statements(path):
        begins = _ENTRY.match(line) or _OPEN.match(line) or _CLOSE.match(line)
        inner = _SOURCE.match(line)
        if begins or inner:
            if entry:
                yield entry
            entry = _begin(walk, line)
        if inner:
            yield from _read_file(walk, inner[1])
        elif not begins:
            _attribute(walk, entry, line)
    if entry:
        yield entry


def _statements(path: Path) -> Iterator[str]:
    """Yield the lines of a Kconfig file that are not empty, comments or help texts."""
    help_indent: int | None = None
    in_help = False
    for raw in path.read_text(errors="replace").replace("\\\n", " ").splitlines():
        line = raw.expandtabs()
        indent = len(line) - len(line.lstrip())
        statement = line.partition(" #")[0].strip()
        if not statement or statement.startswith("#"):
            continue
        if in_help:
            help_indent = indent if help_indent is None else help_indent
            in_help = indent >= help_indent > 0
        if statement == "help":
            in_help, help_indent = True, None
        elif not in_help:
            yield statement


def _begin(walk: _Walk, line: str) -> KconfigEntry | None:
    """Open or close a block, or start an entry within the blocks that are open."""
    if _CLOSE.match(line):
        walk.blocks.pop()
    elif opened := _OPEN.match(line):
        walk.blocks.append([opened[2]] if opened[1] == "if" else [])
    elif started := _ENTRY.match(line):
        around = [condition for block in walk.blocks for condition in block]
        return KconfigEntry(started[1], conditions=around)
    return None


def _attribute(walk: _Walk, entry: KconfigEntry | None, line: str) -> None:
    """Record a dependency or a prompt of the present entry or block."""
    if depends := _DEPENDS.match(line):
        target = entry.conditions if entry else walk.blocks[-1] if walk.blocks else []
        target.append(depends[1])
    elif entry and (prompt := _PROMPT.match(line)):
        entry.prompt = True
        if prompt[2]:
            entry.conditions.append(prompt[2])
