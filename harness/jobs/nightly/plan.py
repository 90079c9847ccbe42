# SPDX-License-Identifier: Apache-2.0
"""A plan: which kernels, series, flavours, QEMUs and groups of tests a night crosses.

``docs/plan.toml`` is one, a fully commented plan.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.base.errors import HarnessError, InputError
from harness.jobs.nightly.toml import Table
from harness.kernel.build.compiler import compiler_named
from harness.kernel.patches.origin import FORMS, store_named
from harness.kernel.spec import flavour_fragment
from harness.machine.binary import DEFAULT as DEFAULT_QEMU
from harness.results import TIERS

PLAIN = "plain"
"""No series, or no flavour."""

SLOTS = 2
"""Guests that a job runs at a time on a worker of a cluster, unless its group says otherwise."""

SUITE_RUNNER = "harness.jobs.nightly.runner:SUITE"


@dataclass(frozen=True)
class KernelChoice:
    """A kernel source as in the plan, fragments on top of the project's own, and a compiler."""

    source: str
    config: tuple[Path, ...] = ()
    compiler: str = ""


@dataclass(frozen=True)
class Group:
    """Tests that are run together: node ids or files (all if empty), and more words for pytest.

    *slots* are the guests it runs at a time on a worker; *expect* its duration in seconds, used
    until one was measured.
    """

    tests: tuple[str, ...] = ()
    tier: str = TIERS[0]
    words: tuple[str, ...] = ()
    slots: int = SLOTS
    expect: float = 0.0


@dataclass(frozen=True)
class Cross:
    """Names of each kind; every combination is a job. A higher *priority* runs first."""

    kernels: tuple[str, ...]
    series: tuple[str, ...]
    flavours: tuple[str, ...]
    qemus: tuple[str, ...]
    groups: tuple[str, ...]
    priority: int = 0


@dataclass(frozen=True)
class NightPlan:
    """The content of a plan's file. *budget* is in seconds, None without a limit."""

    path: Path
    kernels: Mapping[str, KernelChoice]
    series: Mapping[str, tuple[Path, ...]]
    qemus: Mapping[str, str]
    groups: Mapping[str, Group]
    crosses: tuple[Cross, ...]
    budget: float | None = None
    store: str = ""
    database: str = ""
    runner: str = SUITE_RUNNER


def read_plan(path: Path) -> NightPlan:
    """Read a plan; relative paths in it start at its folder. InputError says what is wrong."""
    try:
        content = tomllib.loads(path.read_text())
    except OSError as fault:
        raise InputError(f"the plan {path} cannot be read: {fault.strerror}.") from fault
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as fault:
        raise InputError(f"the plan {path} is not TOML: {fault}.") from fault
    top = Table(str(path), content, path.resolve().parent)
    kernels = {name: _kernel(table) for name, table in top.tables("kernels")}
    if PLAIN in top.at("series").names:
        raise InputError(f"{path}: series: '{PLAIN}' means no series; choose another name.")
    named = top.at("series")
    series = {PLAIN: (), **{name: _series(named, name) for name in named.names}}
    qemus = {name: top.at("qemus").text(name) for name in top.at("qemus").names}
    groups = {name: _group(table) for name, table in top.tables("groups")}
    if not kernels or not groups:
        raise InputError(f"{path} needs at least one [kernels.NAME] and one [groups.NAME].")
    known = NightPlan(
        path.resolve(),
        kernels,
        series,
        qemus or {"default": DEFAULT_QEMU},
        groups,
        (),
        top.seconds("budget"),
        top.text("store", ""),
        top.text("database", ""),
        top.text("runner", SUITE_RUNNER),
    )
    listed = top.list_of_tables("cross") or [Table(str(path), {}, path.parent)]
    crosses = tuple(_cross(table, known) for table in listed)
    top.nothing_else("kernels", "series", "qemus", "groups", "cross")
    return NightPlan(**{**vars(known), "crosses": crosses})


def _series(table: Table, name: str) -> tuple[Path, ...]:
    """What a list of words names: paths, or where messages and ranges of commits are stored."""
    try:
        found = tuple(store_named(word, table.folder) for word in table.texts(name))
    except HarnessError as fault:
        raise InputError(f"{table.place}: {name}: {fault}") from fault
    for path in found:
        if not path.exists():
            raise InputError(f"{table.place}: {name}: {path} does not exist. Expected {FORMS}.")
    return found


def _kernel(table: Table) -> KernelChoice:
    compiler = table.text("compiler", "")
    if compiler:
        try:
            compiler_named(compiler)
        except InputError as fault:
            raise InputError(f"{table.place}: {fault}") from fault
    choice = KernelChoice(table.text("source"), table.paths("config"), compiler)
    table.nothing_else()
    return choice


def _group(table: Table) -> Group:
    group = Group(
        table.texts("tests"),
        table.one_of("tier", TIERS, TIERS[0]),
        table.texts("words"),
        table.number("slots", SLOTS, at_least=1),
        table.seconds("expect") or 0.0,
    )
    table.nothing_else()
    return group


def _cross(table: Table, plan: NightPlan) -> Cross:
    """A kind that is not named means all of that kind; for flavours only the plain one."""
    flavours = table.texts("flavours") or (PLAIN,)
    for flavour in flavours:
        try:
            if flavour != PLAIN:
                flavour_fragment(flavour)
        except InputError as fault:
            raise InputError(f"{table.place}: flavours: {fault}") from fault
    cross = Cross(
        table.names_among("kernels", plan.kernels),
        table.names_among("series", plan.series),
        flavours,
        table.names_among("qemus", plan.qemus),
        table.names_among("groups", plan.groups),
        table.number("priority", 0),
    )
    table.nothing_else()
    return cross
