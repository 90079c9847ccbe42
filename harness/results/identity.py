# SPDX-License-Identifier: Apache-2.0
"""The files that a verdict depends on, beside the kernel and QEMU: found, not listed by hand.

They are the modules that a test file, the conftest files above it and the pytest plugin import,
directly or not; the data files beside each of those modules; and paths that a module names below
CHECKOUT, such as ``CHECKOUT / "guest"``. An import within a function counts, and so does a string
that is a module's name, as in ``pytest_plugins``.
"""

import functools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.base.cache import digest
from harness.base.paths import CHECKOUT, SUITE
from harness.results.request import SuiteRequest, choice_of

PACKAGE = "harness"

PLUGIN = "harness/plugin/__init__.py"


def basis(tests: Sequence[str] = ()) -> str:
    """A hash of all files behind *tests*, by name and content: node ids or files, all if empty."""
    return digest(*(part for path in files_behind(tests) for part in (source_name(path), path)))


def basis_of(request: SuiteRequest) -> str:
    """A hash of what the results of *request* depend on, beside kernel, QEMU and RAM."""
    return digest(*choice_of(request), basis(request.tests))


def files_behind(tests: Sequence[str] = ()) -> tuple[Path, ...]:
    """Every file that decides how *tests*, node ids, files or folders, end; all tests if empty."""
    root = CHECKOUT
    chosen = [root / test.partition("::")[0] for test in tests or (SUITE,)]
    files = [file for path in chosen for file in _tests_at(path)]
    folders = {folder for file in files for folder in file.parents if folder.is_relative_to(root)}
    conftests = [folder / "conftest.py" for folder in folders]
    start = [*files, root / PLUGIN, *(path for path in conftests if path.is_file())]
    return tuple(sorted(_closure(root, start)))


def test_files() -> tuple[Path, ...]:
    """Every file with tests of the suite."""
    return tuple(_tests_at(CHECKOUT / SUITE))


def source_name(path: Path) -> str:
    """The file's path in the checkout."""
    return str(path.relative_to(CHECKOUT))


def is_test(name: str) -> bool:
    """Whether that is a file with tests of the suite."""
    return name.startswith(SUITE) and Path(name).name.startswith("test_")


@dataclass(frozen=True)
class _Names:
    """Names in a module: possible modules, and paths below CHECKOUT."""

    modules: tuple[str, ...]
    paths: tuple[str, ...]


def _tests_at(path: Path) -> list[Path]:
    return sorted(path.rglob("test_*.py")) if path.is_dir() else [path]


def _closure(root: Path, start: Iterable[Path]) -> set[Path]:
    found: set[Path] = set()
    left = [path for path in start if path.is_file()]
    folders: set[Path] = set()
    while left:
        path = left.pop()
        if path in found:
            continue
        found.add(path)
        if path.suffix == ".py":
            left += _named_by(root, path)
            folders.add(path.parent)
    return found | {data for folder in folders for data in _data_beside(folder)}


def _named_by(root: Path, module: Path) -> Iterator[Path]:
    """The modules and data that a module names, directly."""
    state = module.stat()
    names = _names(module, state.st_mtime_ns, state.st_size)
    for name in {*names.modules, *_packages(root, module)}:
        yield from _files_of(root, name)
    for name in names.paths:
        yield from _data_at(root, root / name)


def _packages(root: Path, module: Path) -> Iterator[str]:
    """The packages that are imported with a module."""
    parts = module.relative_to(root).parent.parts
    yield from (".".join(parts[:number]) for number in range(1, len(parts) + 1))


def _files_of(root: Path, name: str) -> Iterator[Path]:
    """The file of that module or package; nothing if it does not exist."""
    place = root / name.replace(".", "/")
    for path in (place.with_suffix(".py"), place / "__init__.py"):
        if path.is_file():
            yield path


def _data_beside(folder: Path) -> tuple[Path, ...]:
    """The files of a directory that are not modules."""
    return tuple(Path(one) for one in os.scandir(folder) if one.is_file() and _is_data(one.name))


def _data_at(root: Path, place: Path) -> tuple[Path, ...]:
    """All data files at a path of the checkout; none within the harness package."""
    if place.is_relative_to(root / PACKAGE):
        return ()
    if place.is_file():
        return (place,)
    return tuple(path for path in place.rglob("*") if path.is_file() and _is_data(path.name))


def _is_data(name: str) -> bool:
    return not name.endswith((".py", ".pyc"))


@functools.cache
def _names(module: Path, _changed: int, _size: int) -> _Names:
    """The names in *module*; its time stamp and size are part of the cache's key.

    A regular expression takes a tenth of the time of a parser. It may also find an import in a
    string, which does no harm (tests/results/test_identity.py compares both).
    """
    text = module.read_text()
    modules = dict.fromkeys(_TEXT.findall(text))
    for package, names, plain in _IMPORT.findall(text):
        modules[package or plain] = None
        modules.update((f"{package}.{name}", None) for name in _WORD.findall(names))
    return _Names(tuple(modules), tuple(_PLACE.findall(text)))


_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(harness[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]+)"
    r"|import[ \t]+(harness[\w.]*))",
    re.MULTILINE,
)
_TEXT = re.compile(r"[\"'](harness(?:\.\w+)+)")
_PLACE = re.compile(r"\bCHECKOUT\s*/\s*[\"']([^\"']+)")
_WORD = re.compile(r"\w+")
