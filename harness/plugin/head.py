# SPDX-License-Identifier: Apache-2.0
"""The first lines of a run: its kernel, what built it, and how many tests apply to it."""

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.base.disk import write_whole
from harness.base.paths import SUITE
from harness.kernel import Kernel, KernelSpec
from harness.kernel.abilities import FEATURE, abilities_of
from harness.kernel.changes import newer_than_read
from harness.machine.binary import Qemu, find_qemu
from harness.machine.cpu import needs_tags
from harness.machine.memory_tags import tags_fault
from harness.plugin.markers import lacking_for
from harness.plugin.session import kernel_key, runs_in_worker
from harness.results import request_from

NO_TYPES = (
    "no debugging information: the memory oracles (slots, leaks, stale bytes, page owners) are off"
)

NO_FEATURE = f"CONFIG_{FEATURE} is not set: no test applies that needs a restricted pool"

FROM_SOURCE = "a source to build another kernel from"

MOST_WARNINGS = 5

COUNT = "harness_count"
"""The name of a file in a worker's input: the worker that collects first writes there."""

_count_key = pytest.StashKey[Path]()


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Describe the kernel, once it is built."""
    kernel = config.stash.get(kernel_key, None)
    if kernel is None:
        return []
    lines = list(head_lines(kernel))
    if needs_tags(kernel) and (fault := tags_fault(find_qemu(request_from(config).qemu))):
        lines.append(f"memory tags: off; this QEMU {fault}")
    return lines


def head_lines(kernel: Kernel) -> Iterator[str]:
    """What *kernel* is, in short lines."""
    changes = [
        *([f"flavour {kernel.flavour}"] if kernel.flavour else []),
        *kernel.fragments,
        *kernel.series,
    ]
    yield ", ".join([f"kernel: Linux {kernel.release}", kernel.source, *changes])
    yield f"compiler: {kernel.compiler}"
    if kernel.series:
        yield from (f"warning of its build: {one}" for one in kernel.warnings[:MOST_WARNINGS])
    abilities = abilities_of(kernel)
    if not abilities.restricts:
        yield NO_FEATURE
    if not abilities.types:
        yield NO_TYPES
    if notice := newer_than_read(kernel.release):
        yield notice


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """Say how many tests apply, without pytest-xdist."""
    kernel = config.stash.get(kernel_key, None)
    return [] if kernel is None else count_lines(_counted(config, kernel, items))


def pytest_collection_finish(session: pytest.Session) -> None:
    """In a worker of pytest-xdist, which alone collects: count for the controller."""
    config = session.config
    name: str = getattr(config, "workerinput", {}).get(COUNT, "")
    if name and not Path(name).exists():
        counted = _counted(config, config.stash[kernel_key], session.items)
        write_whole(Path(name), json.dumps(counted))


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Name the file for the count to a worker of pytest-xdist."""
    config = node.config
    if kernel_key in config.stash:
        if _count_key not in config.stash:
            folder = tempfile.TemporaryDirectory(prefix="harness-count-")
            config.add_cleanup(folder.cleanup)
            config.stash[_count_key] = Path(folder.name) / "count.json"
        node.workerinput[COUNT] = str(config.stash[_count_key])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any) -> None:
    """Say once what the first worker has counted."""
    config = node.config
    path = config.stash.get(_count_key, None)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if path is not None and path.exists() and reporter is not None and not _quiet(config):
        for line in count_lines(json.loads(path.read_text())):
            reporter.write_line(line)
        del config.stash[_count_key]


def missing(
    items: Iterable[pytest.Item], kernel: Kernel, qemu: Qemu, spec: KernelSpec
) -> Iterator[str]:
    """What each of the VM tests *items* lacks on *kernel*, the first of it; empty if it applies.

    A test that builds a kernel of its own from the source of *spec* applies if there is one.
    """
    for item in items:
        if not item.nodeid.startswith(SUITE):
            continue
        fixtures = getattr(item, "fixturenames", ())
        own = _flavour(item, spec) != spec.flavour
        if spec.is_built and (own or "from_source" in fixtures):
            yield FROM_SOURCE
        elif own or "kernel" not in fixtures:
            yield ""
        else:
            lacking = lacking_for(item, kernel, qemu)
            yield lacking.what if lacking else ""


def _counted(
    config: pytest.Config, kernel: Kernel, items: Iterable[pytest.Item]
) -> Mapping[str, int]:
    """How many tests lack what; the empty name counts those that apply."""
    request = request_from(config)
    return Counter(missing(items, kernel, find_qemu(request.qemu), request.spec))


def count_lines(counted: Mapping[str, int]) -> list[str]:
    """The line that says how many tests apply, and what the others lack, most often first."""
    total = sum(counted.values())
    lacks = Counter({name: number for name, number in counted.items() if name})
    if not lacks:
        return [f"all {total} tests apply to this kernel"] if total else []
    listed = ", ".join(f"{name} ({number})" for name, number in lacks.most_common())
    return [f"{counted.get('', 0)} of {total} tests apply to this kernel; missing: {listed}"]


def _flavour(item: pytest.Item, spec: KernelSpec) -> str:
    """The flavour of the kernel that a test asks for."""
    callspec = getattr(item, "callspec", None)
    return str(callspec.params.get("flavour", spec.flavour)) if callspec else spec.flavour


def _quiet(config: pytest.Config) -> bool:
    return bool(runs_in_worker(config) or config.getoption("verbose") < 0)
