# SPDX-License-Identifier: Apache-2.0
"""What to run: which tests, how, on which kernel; to and from pytest's arguments.

::

    SuiteRequest ── arguments_of ─► pytest ... ── request_from ─► SuiteRequest
         │
         └── command_of ─► scripts/run ...       what a person types

Only this module composes and parses the arguments of the suite.
"""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from harness.base.cpus import guests_at_once
from harness.base.errors import InputError
from harness.base.paths import CHECKOUT, SUITE
from harness.base.properties import checked_id
from harness.base.space import MIB
from harness.kernel import KernelSpec, default_fragments
from harness.kernel.spec import BUILT
from harness.machine.binary import DEFAULT
from harness.machine.devicetree.overlay import is_file
from harness.machine.machine import DEFAULT_RAM
from harness.machine.shape import parse_ram_size
from harness.results.reached import REACHED, read_reached

TIERS = ("default", "selftest", "nightly", "all")
"""Sets of tests; each contains the one before it."""

WORKERS = guests_at_once()

WHOLE_SUITE = SUITE.rstrip("/")

ROOTS = ("harness", WHOLE_SUITE)
"""Directories that mean all VM tests."""


@dataclass(frozen=True)
class SuiteRequest:
    """What to run: which kernel, on which QEMU, and which tests of which tier.

    *tests* are node ids or files of the checkout, all if empty; *properties*, and *match* as for
    pytest's ``-k``, leave only some of them. With *findings* all tests of these run, of
    any tier. With *shape*, a name of dts/ or a file with an overlay, only the tests of any shape
    run, on that one. Tests of the properties, or that reach the kernel functions, *first* run
    before the others. *words* are more of pytest's own arguments.
    *workers* is 0 for no pytest-xdist, *max_failures* 0 for no limit, *ram_size* in bytes.
    """

    spec: KernelSpec = field(default_factory=KernelSpec)
    qemu: str = DEFAULT
    tier: str = TIERS[0]
    tests: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    workers: int = WORKERS
    keep: str = "failed"
    properties: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    match: str = ""
    max_failures: int = 0
    ram_size: int = DEFAULT_RAM
    shape: str = ""
    first: tuple[str, ...] = ()


def arguments_of(request: SuiteRequest) -> tuple[str, ...]:
    """The arguments for pytest, run in the checkout."""
    spec = request.spec
    extra = spec.fragments[len(default_fragments()) :]
    return (
        *(f"-n{request.workers}", f"--keep={request.keep}", f"--kernel={_absolute(spec.source)}"),
        *(f"--series={path.absolute()}" for path in spec.series),
        *(f"--kernel-config={path.absolute()}" for path in extra),
        *(f"--flavour={spec.flavour}", f"--compiler={spec.compiler}", f"--qemu={request.qemu}"),
        *(f"--machine-memory={request.ram_size // MIB}M", f"--maxfail={request.max_failures}"),
        *(f"--first={one}" for one in request.first),
        *choice_of(request),
    )


def choice_of(request: SuiteRequest) -> tuple[str, ...]:
    """The arguments that choose tests: runs with equal ones have the same tests."""
    return (
        f"--tier={request.tier}",
        *(f"--property={one}" for one in request.properties),
        *(f"--finding={one}" for one in request.findings),
        *([f"-k={request.match}"] if request.match else []),
        *([f"--shape={_absolute_shape(request.shape)}"] if request.shape else []),
        *request.words,
        *(request.tests or (WHOLE_SUITE,)),
    )


def is_whole_suite(choice: Sequence[str]) -> bool:
    """Whether *choice*, what :func:`choice_of` returned, has all tests of its tier."""
    return {one for one in choice if not one.startswith("--tier=")} == {WHOLE_SUITE}


def command_of(request: SuiteRequest) -> str:
    """The command line that runs the same tests on the same kernel, in the checkout."""
    defaults = {*arguments_of(SuiteRequest())}
    words = (one for one in arguments_of(request) if one not in defaults)
    return " ".join(["scripts/run", *map(_typed, words)])


def request_from(config: pytest.Config) -> SuiteRequest:
    """The request in pytest's options. Raises InputError for an invalid one."""
    option = config.getoption
    extra = (Path(name).absolute() for name in option("--kernel-config"))
    words = (
        *([f"-m={option('-m')}"] if option("-m") else []),
        *(f"--deselect={name}" for name in option("deselect") or ()),
        *(f"--ignore={name}" for name in option("ignore") or ()),
        *(["--lf"] if option("lf", False) else []),
    )
    return SuiteRequest(
        spec=KernelSpec(
            source=option("--kernel"),
            series=tuple(Path(name).absolute() for name in option("--series")),
            fragments=(*default_fragments(), *extra),
            flavour=option("--flavour"),
            compiler=option("--compiler"),
        ),
        qemu=option("--qemu"),
        tier=option("--tier"),
        tests=_tests(config),
        words=words,
        workers=int(option("numprocesses", 0) or 0),
        keep=option("--keep"),
        properties=tuple(map(checked_id, option("--property"))),
        findings=tuple(option("--finding")),
        match=option("-k"),
        max_failures=option("maxfail") or 0,
        ram_size=parse_ram_size(option("--machine-memory")),
        shape=_absolute_shape(option("--shape")),
        first=tuple(map(_checked_first, option("--first"))),
    )


def _checked_first(name: str) -> str:
    """A value of ``--first``; InputError if it is neither a property nor a known function."""
    if name in read_reached().functions:
        return name
    try:
        return checked_id(name)
    except InputError as fault:
        raise InputError(
            f"--first={name}: expected a property such as B1, or a kernel function that few tests "
            f"reach. 'harness properties' lists the properties, {REACHED} the functions"
        ) from fault


def _tests(config: pytest.Config) -> tuple[str, ...]:
    """The files and node ids on the command line, relative to the checkout."""
    names = tuple(_test_name(config.invocation_params.dir, str(one)) for one in config.args)
    return () if any(name in ROOTS for name in names) else names


def _test_name(folder: Path, argument: str) -> str:
    """The argument relative to the checkout; unchanged if it is outside."""
    file, colons, name = argument.partition("::")
    path = Path(os.path.normpath(folder / file))
    place = str(path.relative_to(CHECKOUT)) if path.is_relative_to(CHECKOUT) else file
    return f"{place}{colons}{name}"


def _absolute(source: str) -> str:
    """A kernel source that is a path, made absolute: pytest runs in another directory."""
    kind = BUILT if source.startswith(BUILT) else ""
    path = Path(source.removeprefix(kind))
    return f"{kind}{path.absolute()}" if source and path.exists() else source


def _absolute_shape(shape: str) -> str:
    return str(Path(shape).absolute()) if is_file(shape) else shape


def _typed(word: str) -> str:
    """A word as a person types it in a shell.

    A value that begins with ``-`` or ``@`` (argparse: read a file) stays after its ``=``.
    """
    name, _, value = word.partition("=")
    if name == "-k" and not value.startswith(("-", "@")):
        plain = value.isprintable() and not set(value) & set('"$`\\!')
        return f'-k "{value}"' if plain else f"-k {shlex.quote(value)}"
    return shlex.quote(word)
