# SPDX-License-Identifier: Apache-2.0
"""``harness properties``: list the properties of restricted DMA, their tests and last results."""

import argparse
import contextlib
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pytest
from rich.table import Column, Table

from harness.base.changes import CHANGES
from harness.base.errors import HostError
from harness.base.paths import CHECKOUT, SUITE
from harness.base.properties import BEFORE, ENDED, NOT_GUARANTEED, PROPERTIES, UNTESTED, text_for
from harness.base.result import worst
from harness.cli.machines import add_config_options, add_series_option, spec_of
from harness.cli.tables import print_table
from harness.kernel import Kernel, build_kernel, helptext
from harness.kernel.changes import change_basis, has_change, newer_than_read
from harness.results.history import LastResult, joined_history, last_results

ALL_PROVEN, SOMETHING_MISSING = 0, 1

MARKERS = ("property", "escape")


@dataclass(frozen=True)
class Proof:
    """A test function that names a property: its name, its node ids, whether it is a control."""

    name: str
    tests: tuple[str, ...]
    control: bool


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "properties",
        help="list the properties of restricted DMA, their tests and last results",
        description="List each property (A1 to F8) and each thing that is not guaranteed (G1 to "
        "G10) with its tests and their last results on kernels without a series. With --kernel, "
        "list what that kernel guarantees: by its version, and by signs in the kernel itself, for "
        "which it is built unless it is cached. Exit code 1: one has neither a test nor a reason "
        "why not.",
    )
    parser.add_argument(
        "--kernel", metavar="SOURCE", help=helptext.KERNEL.partition(" (default")[0]
    )
    add_series_option(parser)
    add_config_options(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the table; return 1 if a property has neither a test nor a reason why not."""
    kernel = build_kernel(spec_of(arguments)) if arguments.kernel else None
    proofs, results = _proofs(_collect(), kernel), last_results(joined_history())
    table = Table("id", Column("property", ratio=3), Column("tests", ratio=4), "last result")
    if kernel is not None:
        print("\n".join(_head(kernel)))
    rows = _rows(kernel)
    for number, text in rows.items():
        found = proofs.get(number, ())
        table.add_row(number, text, _tests(number, found), _last(found, results))
    print_table(table)
    bare = [one for one in rows if one not in proofs and one not in UNTESTED]
    if bare:
        print(f"neither a test nor a reason why not: {' '.join(bare)}")
    return SOMETHING_MISSING if bare else ALL_PROVEN


def _rows(kernel: Kernel | None) -> Mapping[str, str]:
    """The text of each property of *kernel*; of all kernels, with what was before, if None."""
    ids = (*PROPERTIES, *NOT_GUARANTEED)
    if kernel is None:
        return {one: _text_of_all(one) for one in ids}
    said = {one: text_for(one, lambda change: has_change(kernel, change)) for one in ids}
    return {one: text for one, text in said.items() if text}


def _text_of_all(number: str) -> str:
    lines = [PROPERTIES.get(number) or NOT_GUARANTEED[number]]
    for change, text in BEFORE.get(number, ()):
        lines.append(f"(before {CHANGES[change].since}: {text or 'there was no such property'})")
    if number in ENDED:
        lines.append(f"(until {CHANGES[ENDED[number]].since})")
    return "\n".join(lines)


def _head(kernel: Kernel) -> Iterable[str]:
    """Which kernel it is, and by which changes it differs from others."""
    yield f"kernel: Linux {kernel.release}, {', '.join((kernel.source, *kernel.series))}"
    found = {
        name: change_basis(kernel.vmlinux, kernel.release, one) for name, one in CHANGES.items()
    }
    for title, has in (("has", True), ("lacks", False)):
        names = [
            f"{name} ({CHANGES[name].since}{'' if basis.by_sign else ', by its version only'})"
            for name, basis in found.items()
            if basis.has is has
        ]
        yield f"{title}: {', '.join(names) or 'none'}"
    if notice := newer_than_read(kernel.release):
        yield notice


class _Collector:
    """Keep the items that pytest collects."""

    def __init__(self) -> None:
        self.items: Sequence[pytest.Item] = ()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.items = session.items


def _collect() -> Sequence[pytest.Item]:
    """Every VM test of every tier. Raises HostError with pytest's output if that fails."""
    collector, said = _Collector(), io.StringIO()
    options = ["--collect-only", "-qq", "--assert=plain", "--tier=all", f"--rootdir={CHECKOUT}"]
    with contextlib.redirect_stdout(said):
        code = pytest.main([*options, str(CHECKOUT / SUITE)], plugins=[collector])
    if code != pytest.ExitCode.OK:
        raise HostError(f"pytest cannot collect the VM tests:\n{said.getvalue()}")
    return collector.items


def _applies(item: pytest.Item, kernel: Kernel) -> bool:
    """Whether *kernel* has, and lacks, the changes that the test needs."""
    needs = [one.kwargs for one in item.iter_markers("needs")]
    return all(
        has_change(kernel, one[word]) is wanted
        for one in needs
        for word, wanted in (("change", True), ("before", False))
        if word in one
    )


def _proofs(items: Iterable[pytest.Item], kernel: Kernel | None) -> Mapping[str, Sequence[Proof]]:
    """The test functions by the properties that they name, controls last.

    Without those that need changes which *kernel* does not have, or must not have.
    """
    tests: dict[tuple[str, bool, str], list[str]] = {}
    for item in items:
        if kernel is not None and not _applies(item, kernel):
            continue
        for mark in item.iter_markers():
            if mark.name in MARKERS:
                name = getattr(item, "originalname", item.name)
                for number in mark.args:
                    key = (number, bool(mark.kwargs.get("control")), name)
                    tests.setdefault(key, []).append(item.nodeid)
    proofs: dict[str, list[Proof]] = {}
    for (number, control, name), nodes in sorted(tests.items()):
        proofs.setdefault(number, []).append(Proof(name, tuple(nodes), control))
    return proofs


def _tests(number: str, proofs: Sequence[Proof]) -> str:
    lines = [
        f"{'control: ' if one.control else ''}{one.name.removeprefix('test_').replace('_', ' ')}"
        + (f" (x {len(one.tests)})" if len(one.tests) > 1 else "")
        for one in proofs
    ]
    if number in UNTESTED:
        lines.append(f"not tested: {UNTESTED[number]}")
    return "\n".join(lines)


def _last(proofs: Sequence[Proof], results: Mapping[str, LastResult]) -> str:
    """The worst of the tests' last results, with its kernel and date."""
    every = [results[test] for one in proofs for test in one.tests if test in results]
    if not every:
        return "never run" if proofs else ""
    result = worst(one.result for one in every)
    last = max((one for one in every if one.result is result), key=lambda one: one.when)
    return f"{result} {last.release} {last.when[:10]}"
