# SPDX-License-Identifier: Apache-2.0
"""The forms of what ``harness lint`` found: text, JSON, SARIF, GitHub annotations."""

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from textwrap import fill
from typing import Any
from urllib.parse import quote

from harness.base.space import KIB
from harness.machine.devicetree.lint import (
    BoardResult,
    DeviceRow,
    FaultRow,
    KernelRows,
    PoolRow,
)
from harness.machine.devicetree.model import RULES, Level, Restriction, Rule
from harness.machine.devicetree.positions import said_position

WIDTH = 100
UNREADABLE = "unreadable"
"""Rule of a file that cannot be read, in the forms for programs."""

COMPLAINTS = ("expected", "nothing-named")
"""Rules of what the text says first, with because."""

SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def explain_rule(rule: Rule) -> str:
    """What the kernel does, where, in which versions, and what to do."""
    lines = [
        f"{rule.name} ({rule.level})",
        fill(rule.text, WIDTH, initial_indent="  ", subsequent_indent="  "),
    ]
    if rule.advice:
        lines.append(fill(f"To do: {rule.advice}", WIDTH, initial_indent="  "))
    lines.append(f"  Kernels: {rule.kernels or 'all'}")
    lines.append(f"  Source:  {rule.function}")
    if rule.entry:
        lines.append(f"  Finding: {rule.entry}")
    return "\n".join(lines)


# text


def as_text(results: Sequence[BoardResult], *, everything: bool) -> str:
    """For people: each board, for each kernel (kernels of the same result together)."""
    lines: list[str] = []
    for one in results:
        if one.error:
            lines += [f"{one.name}: cannot be read", f"  {one.error}", ""]
            continue
        for kernels, rows in _together(one.kernels):
            lines += [f"{one.name} on Linux {kernels}: {_status_text(rows)}"]
            lines += [f"  {line}" for line in _lines(rows, everything=everything)]
            lines.append("")
    if len(results) > 1:
        lines.append(_summary(results))
    return "\n".join(lines).rstrip("\n") + "\n"


def _together(kernels: Sequence[KernelRows]) -> Iterable[tuple[str, KernelRows]]:
    """Kernels of which the same is said, with the names of all."""
    groups: dict[tuple[object, ...], list[KernelRows]] = {}
    for one in kernels:
        key = (one.status, one.devices, one.pools, one.faults, one.complaints)
        groups.setdefault(key, []).append(one)
    for same in groups.values():
        names = (one.kernel + ("" if one.known else " (newer than the rules)") for one in same)
        yield ", ".join(names), same[0]


def _status_text(rows: KernelRows) -> str:
    errors = sum(one.level == str(Level.ERROR) for one in rows.faults)
    but = f", but see the {'error' if errors == 1 else f'{errors} errors'}" if errors else ""
    return {
        0: f"all nodes that name a pool are restricted{but}",
        1: "NOT RESTRICTED as the tree wants it",
        2: "cannot tell",
    }[rows.status]


def _lines(rows: KernelRows, *, everything: bool) -> Iterable[str]:
    yield from (f"because {one}" for one in rows.complaints)
    for pool in rows.pools:
        yield from _pool_lines(pool, [one for one in rows.faults if one.path == pool.path])
    shown = [one for one in rows.devices if one.evident or everything]
    if shown:
        yield "devices"
        yield from (f"  {_device_line(one)}" for one in shown)
    pools = {one.path for one in rows.pools}
    rest = [one for one in rows.faults if one.rule not in COMPLAINTS and one.path not in pools]
    if rest:
        yield "remarks"
        yield from (f"  {_fault_line(one, with_path=True)}" for one in rest)
    if todo := _advice(rows.faults):
        yield "to do"
        yield from (f"  {one}" for one in todo)
    hidden = len(rows.devices) - len(shown)
    if hidden:
        yield f"{hidden} other devices, without a sign of DMA in the tree, are unrestricted (--all)"


def _advice(faults: Sequence[FaultRow]) -> list[str]:
    """What to do about the errors and warnings, once for each rule."""
    names = dict.fromkeys(one.rule for one in faults if one.level != str(Level.NOTE))
    return [f"{RULES[name].advice} [{name}]" for name in names if RULES[name].advice]


def _pool_lines(pool: PoolRow, faults: Sequence[FaultRow]) -> Iterable[str]:
    place = f" [{pool.base:#x}, {pool.base + pool.size:#x})" if pool.base is not None else ""
    dynamic = " (placed by the kernel)" if pool.dynamic else ""
    yield f"pool {pool.path}{place}{dynamic}: {pool.became}{_at(pool)}"
    if pool.slots:
        yield (
            f"  {_size(pool.size)}, {pool.slots} slots; largest mapping "
            f"{_size(pool.largest_mapping)}, coherent allocation {_size(pool.largest_coherent)}"
        )
    if pool.users:
        yield f"  used by {', '.join(pool.users)}"
    yield from (f"  {_fault_line(one, with_path=False)}" for one in faults)


def _size(size: int) -> str:
    return f"{size / KIB:g} KiB" if size >= KIB else f"{size} bytes"


def _device_line(one: DeviceRow) -> str:
    outcome = Restriction(one.outcome).with_pool(one.pool)
    condition = f", {one.condition}" if one.condition else ""
    source = one.rule
    if one.outcome != Restriction.RESTRICTED.value:
        source += f": {one.function}" + (f", Linux {one.kernels}" if one.kernels else "")
    return f"{one.path}: {outcome}{condition}, because {one.why} [{source}]{_at(one)}"


def _fault_line(one: FaultRow, *, with_path: bool) -> str:
    path = f"{one.path}: " if with_path else ""
    source = one.rule + (f", Linux {one.kernels}" if one.kernels else "")
    source += f", {one.finding}" if one.finding else ""
    return f"{one.level}: {path}{one.text} [{source}]{_at(one)}"


def _at(row: DeviceRow | PoolRow | FaultRow) -> str:
    return f" ({row.position})" if row.position else ""


def _summary(results: Sequence[BoardResult]) -> str:
    counts = {0: 0, 1: 0, 2: 0}
    for one in results:
        counts[one.status] += not one.error
    unread = sum(bool(one.error) for one in results)
    pools = sum(len(one.kernels[0].pools) for one in results if one.kernels)
    devices = sum(len(one.kernels[0].devices) for one in results if one.kernels)
    return (
        f"{len(results)} files, {pools} pools, {devices} devices: {counts[0]} good, "
        f"{counts[1]} not restricted as wanted, {counts[2]} where nothing names a pool or that "
        f"cannot be told{f', {unread} that cannot be read' if unread else ''}"
    )


# for programs


def as_json(results: Sequence[BoardResult], *, everything: bool) -> str:
    """One object: ``boards``, each with its file, status, error and kernels."""
    del everything  # a program filters by itself
    boards = [{**asdict(one), "status": int(one.status)} for one in results]
    return json.dumps({"boards": boards}, indent=1) + "\n"


def as_sarif(results: Sequence[BoardResult], *, everything: bool) -> str:
    """SARIF 2.1.0, for code review tools."""
    del everything
    found = [(board, fault, names) for board in results for fault, names in _by_fault(board)]
    used = dict.fromkeys(fault.rule for _, fault, _ in found)
    rules = [
        {
            "id": name,
            "shortDescription": {"text": RULES[name].text if name in RULES else name},
            "help": {"text": RULES[name].advice if name in RULES else ""},
        }
        for name in used
    ]
    driver = {"name": "harness lint", "rules": rules}
    log = {
        "$schema": SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": [_sarif(*one) for one in found]}],
    }
    return json.dumps(log, indent=1) + "\n"


def _sarif(board: BoardResult, fault: FaultRow, kernels: str) -> Mapping[str, Any]:
    file = fault.position.file if fault.position else board.name
    place: dict[str, Any] = {"artifactLocation": {"uri": quote(os.fsencode(file))}}
    if fault.position:
        region = {"startLine": fault.position.line, "startColumn": fault.position.column}
        place["region"] = region
    return {
        "ruleId": fault.rule,
        "level": fault.level,
        "message": {"text": f"{fault.path}: {fault.text} ({kernels})"},
        "locations": [
            {
                "physicalLocation": place,
                "logicalLocations": [{"fullyQualifiedName": fault.path}],
            }
        ],
    }


def as_github(results: Sequence[BoardResult], *, everything: bool) -> str:
    """Workflow commands that GitHub shows as annotations."""
    del everything
    lines = []
    for board in results:
        for fault, kernels in _by_fault(board):
            level = "notice" if fault.level == "note" else fault.level
            at = fault.position
            place = f"file={_escaped(at.file if at else board.name, property_too=True)}"
            if at:
                place += f",line={at.line},col={at.column}"
            text = _escaped(f"{fault.path}: {fault.text} [{fault.rule}] ({kernels})")
            lines.append(f"::{level} {place},title={fault.rule}::{text}\n")
    return "".join(lines)


def _escaped(text: str, *, property_too: bool = False) -> str:
    for char, code in (("%", "%25"), ("\r", "%0D"), ("\n", "%0A")):
        text = text.replace(char, code)
    return text.replace(":", "%3A").replace(",", "%2C") if property_too else text


def _by_fault(board: BoardResult) -> Iterable[tuple[FaultRow, str]]:
    """Each fault once, with the kernels that have it."""
    if board.error:
        place = said_position(board.error)
        fault = FaultRow("error", UNREADABLE, "", "", "", "/", board.error, place)
        yield fault, "all kernels"
    found: dict[FaultRow, list[str]] = {}
    for one in board.kernels:
        for fault in one.faults:
            found.setdefault(fault, []).append(one.kernel)
    for fault, kernels in found.items():
        yield fault, f"Linux {', '.join(kernels)}"


Form = Callable[..., str]

FORMATS: Mapping[str, Form] = {
    "text": as_text,
    "json": as_json,
    "sarif": as_sarif,
    "github": as_github,
}
