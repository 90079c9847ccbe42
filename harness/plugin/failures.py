# SPDX-License-Identifier: Apache-2.0
"""Turn failures of property tests into violations.

A failed assertion becomes a violation of the properties that its test is about. Each violation is
completed with the last DMA API calls, what each address is, the kernel functions to look at, and
the commands that reproduce and debug it.
"""

import contextlib
import json
import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from _pytest._code.code import (
    ExceptionChainRepr,
    ReprEntryNative,
    ReprFileLocation,
    ReprTraceback,
    TracebackEntry,
)

from harness.base.errors import GuestError, HarnessError, HostError, ToolError
from harness.base.kernel_code import code_for
from harness.base.paths import CHECKOUT, SUITE
from harness.base.properties import PROPERTIES, text_for
from harness.base.violation import PropertyViolated, Violation
from harness.devices.probe import DmaError
from harness.kernel.changes import has_change
from harness.machine.qemu.artifacts import reopen_command
from harness.machine.qemu.guest import Guest
from harness.observe.memory import KnownTypes, live_memory
from harness.observe.memory.places import LOWEST, Places, addresses, explain
from harness.plugin.guests import CALLS, DEBUG, Guests, guests_key, kept_key
from harness.plugin.markers import kernel_of_item
from harness.plugin.results import no_boot_key
from harness.results.request import SuiteRequest, command_of, request_from

VIOLATIONS = "violations"
"""The attribute of a test's report that holds its violations, as ``dataclasses.asdict`` gives
them; the controller of pytest-xdist receives it too."""

TEXT, DATA = "violation.txt", "violation.json"
"""Files beside the artifacts of a failure."""

HELPERS = f"{SUITE}lib/expect/"
"""The helpers that only raise; a traceback leaves their frames out."""

REPRODUCE = "reproduce"
"""A section of the report of a test that failed without a violation, as when the guest died."""

LINES, WIDTH = 8, 160
"""Lines of an assertion's own explanation that are kept, and characters of each."""

_NUMBER = re.compile(r"(?<![\w.])\d{8,20}(?![\w.])")

_KEYWORD = re.compile(r"[\w:+\-.\[\]\\/]+")
"""What pytest's ``-k`` takes for one word (_pytest/mark/expression.py)."""

known_types_key = pytest.StashKey[KnownTypes]()


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Turn the failure of a property test into violations."""
    try:
        yield
    except (AssertionError, pytest.fail.Exception, DmaError) as error:
        if not _properties(item) and not isinstance(error, PropertyViolated):
            raise
        told = PropertyViolated(*_completed(item, _violations(error)))
        for note in getattr(error, "__notes__", ()):
            told.add_note(note)
        raise told.with_traceback(error.__traceback__) from None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the violations into the report of a failed test, and write them to its artifacts.

    Of a kernel that does not boot its end is told, and of a host that lacks something the error,
    which names the remedy: without the lines of the harness that met it.
    """
    report = yield
    error = call.excinfo.value if call.excinfo else None
    directories = item.stash.get(kept_key, [])
    if not isinstance(error, PropertyViolated):
        if error is not None and directories:
            report.sections.append((REPRODUCE, reproduce_command(item)))
        if error is not None and (_is_host(error) or item.stash.get(no_boot_key, False)):
            text = "\n".join([str(error), *getattr(error, "__notes__", ())])
            report.longrepr = _representation(text, error)
        return report
    reproduce = reproduce_command(item)
    debug = "\n".join(reopen_command(directory) for directory in directories)
    violations = [replace(one, reproduce=reproduce, debug=debug) for one in error.violations]
    setattr(report, VIOLATIONS, [asdict(one) for one in violations])
    text = "\n".join([*map(str, violations), *getattr(error, "__notes__", ())])
    for directory in directories:
        _write(directory, text, violations)
    report.longrepr = _representation(text, error)
    report.sections = [one for one in report.sections if one[0] not in (CALLS, DEBUG)]
    return report


def _is_host(error: BaseException) -> bool:
    """Whether this machine lacks something; an external program may fail for other reasons."""
    return isinstance(error, HostError) and not isinstance(error, ToolError)


def reproduce_command(item: pytest.Item) -> str:
    """The command line that runs the test of *item* again, on the same kernel."""
    name = item.name if _KEYWORD.fullmatch(item.name) else item.name.partition("[")[0]
    asked = request_from(item.config)
    again = SuiteRequest(
        *(asked.spec, asked.qemu, asked.tier),
        match=name,
        ram_size=asked.ram_size,
        shape=asked.shape,
    )
    return command_of(again).replace(f"{CHECKOUT}/", "")


def types_of_session(config: pytest.Config) -> KnownTypes:
    """The types of kernels that this session has read; tests and failures share them."""
    return config.stash.setdefault(known_types_key, KnownTypes())


def in_hex(text: str) -> str:
    """*text* with every decimal number that may be an address in hex."""

    def number(found: re.Match[str]) -> str:
        value = int(found[0])
        return f"{value:#x}" if value >= LOWEST else found[0]

    return _NUMBER.sub(number, text)


def _properties(item: pytest.Item) -> tuple[str, ...]:
    marks = item.iter_markers("property")
    return tuple(dict.fromkeys(str(one) for mark in marks for one in mark.args))


def _is_control(item: pytest.Item) -> bool:
    return any(mark.kwargs.get("control", False) for mark in item.iter_markers("property"))


def _violations(error: BaseException) -> tuple[Violation, ...]:
    """The violations in *error*: its own, or one made from a failed assertion."""
    if isinstance(error, PropertyViolated):
        return error.violations
    lines = in_hex(str(error)).removeprefix("AssertionError: ").strip().splitlines()
    statement = [_statement(one) for one in _own_entries(error)][-1:]
    expected = in_hex(statement[0].removeprefix("assert ")) if statement else ""
    return (Violation((), "", expected=expected, observed="\n".join(map(_cut, lines[:LINES]))),)


def _cut(line: str) -> str:
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 3]}..."


def _completed(item: pytest.Item, violations: Sequence[Violation]) -> Iterator[Violation]:
    """*violations* with the driver's calls, the code and the addresses added."""
    guest = _guest(item)
    calls = guest.agent.journal.last() if guest else ()
    for one in violations:
        ids = one.properties or _properties(item)
        told = replace(
            one,
            properties=ids,
            summary=one.summary or _summary(item, ids),
            calls=one.calls or calls,
            code=one.code or code_for(ids),
            control=one.control or (not one.properties and _is_control(item)),
        )
        texts = (told.summary, told.expected, told.observed, *reversed(told.calls))
        yield replace(told, places=told.places or _places(item, guest, texts))


def _summary(item: pytest.Item, ids: Sequence[str]) -> str:
    """The sentence of the first property; the test's own for a control or without a property."""
    function = item.function if isinstance(item, pytest.Function) else None
    said = (function.__doc__ or "").strip().partition("\n")[0] or item.name
    if _is_control(item):
        return said
    kernel = item.stash.get(kernel_of_item, None)

    def has(change: str) -> bool:
        return kernel is None or has_change(kernel, change)

    return next((text for one in ids if one in PROPERTIES and (text := text_for(one, has))), said)


def _guest(item: pytest.Item) -> Guest | None:
    """The guest of the failure: the last one with an entry in its journal, else the last."""
    guests = [one for one in item.stash.get(guests_key, Guests()).live if not one.closed]
    return next((one for one in reversed(guests) if one.agent.journal), None) or next(
        reversed(guests), None
    )


def _places(item: pytest.Item, guest: Guest | None, texts: Sequence[str]) -> tuple[str, ...]:
    if guest is None or not addresses(texts):
        return ()
    types = types_of_session(item.config)
    with contextlib.suppress(GuestError, HarnessError), live_memory(guest) as memory:
        return explain(Places(guest, types.on(guest.machine.kernel, memory)), texts)
    return ()


def _own_entries(error: BaseException) -> list[TracebackEntry]:
    """The traceback entries of *error* in the suite."""
    entries = pytest.ExceptionInfo.from_exception(error).traceback
    return [one for one in entries if SUITE in str(one.path) and HELPERS not in str(one.path)]


def _write(directory: Path, text: str, violations: Sequence[Violation]) -> None:
    """Write the violations as text and JSON; a full disk was reported before."""
    with contextlib.suppress(OSError):
        (directory / TEXT).write_text(f"{text}\n")
        content = json.dumps([asdict(one) for one in violations], indent=1)
        (directory / DATA).write_text(f"{content}\n")


def _statement(entry: TracebackEntry) -> str:
    """The line of the suite; empty if its file has been moved since it was read."""
    return str(entry.statement).strip() if entry.frame.code.fullsource else ""


def _representation(text: str, error: BaseException) -> ExceptionChainRepr:
    """The text for terminal and JUnit: the violations, then the lines of the suite."""
    entries = _own_entries(error)
    frames = [
        f"{SUITE}{str(one.path).partition(SUITE)[2]}:{one.lineno + 1}: {_statement(one)}"
        for one in entries
    ]
    first = Path(entries[-1].path) if entries else CHECKOUT
    line = entries[-1].lineno + 1 if entries else 0
    body = ReprTraceback(
        [ReprEntryNative([f"{text}\n", *(f"{one}\n" for one in frames)])], None, "native"
    )
    crash = ReprFileLocation(str(first), line, text)
    return ExceptionChainRepr([(body, crash, None)])
