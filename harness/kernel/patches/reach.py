# SPDX-License-Identifier: Apache-2.0
"""What a series changes of the guest's kernel: nothing, or code that options turn on."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from pathlib import PurePosixPath

from harness.kernel.patches.guards import (
    NOT,
    CodeLine,
    Options,
    added_options,
    code_lines,
    object_options,
)

_ELSEWHERE = re.compile(
    r"Documentation/|LICENSES/|tools/|samples/|arch/(?!arm64/)\w+/|arch/arm64/boot/dts/"
    r"|[A-Z]+$|\.[^/]*$|(?:.*/)?\.(?:gitignore|mailmap)$|.*\.(?:rst|txt|md|yaml|dts|dtsi)$"
)
"""Files that an arm64 kernel is not made from; guests have QEMU's own devicetree."""

_SUITE = re.compile(r"\bkunit_test_(?:init_section_)?suites?\s*\(")

Read = Callable[[str], str]
"""Returns the text of a file, empty if there is none."""


@dataclass(frozen=True)
class ChangedLine:
    """A line of code that is added or removed, and the options that it needs to be compiled."""

    path: str
    text: str
    options: Options
    function: str = ""

    def off(self, config: Mapping[str, str]) -> Options:
        """The options that keep it out of a kernel with *config*: off, or with NOT on."""
        return frozenset(
            one for one in self.options if (one.removeprefix(NOT) in config) == one.startswith(NOT)
        )


@dataclass(frozen=True)
class Reach:
    """The lines of code that a series changes, and what else it touches.

    *elsewhere* are files that no arm64 kernel is made from, *comments* those whose code does not
    change, *options* those that are added to Kconfig, *kunit* the options of KUnit suites in files
    that change.
    """

    lines: tuple[ChangedLine, ...]
    elsewhere: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    kunit: tuple[str, ...] = ()

    @property
    def functions(self) -> tuple[str, ...]:
        """The functions with changed lines, in their order."""
        return tuple(dict.fromkeys(line.function for line in self.lines if line.function))

    def off(self, config: Mapping[str, str]) -> Mapping[str, int]:
        """How many changed lines each option keeps out of a kernel with *config*."""
        return Counter(option for line in self.lines for option in sorted(line.off(config)))

    def misses(self, config: Mapping[str, str]) -> bool:
        """Whether no changed line is in a kernel with *config*."""
        return all(line.off(config) for line in self.lines)


def reach_of(changed: Sequence[str], before: Read, after: Read) -> Reach:
    """What changes of the files *changed*, by their texts *before* and *after* the series."""
    elsewhere = tuple(path for path in changed if _ELSEWHERE.match(path))
    built = [path for path in changed if path not in elsewhere]
    lines = {path: tuple(_lines(path, before(path), after(path), after)) for path in built}
    kconfig = [path for path in built if PurePosixPath(path).name.startswith("Kconfig")]
    suites = [path for path in built if _SUITE.search(after(path))]
    options = {one for path in suites for one in _file_options(path, after)}
    return Reach(
        tuple(line for path in built for line in lines[path]),
        elsewhere,
        tuple(path for path in built if not lines[path]),
        tuple(one for path in kconfig for one in added_options(before(path), after(path))),
        tuple(sorted(options)),
    )


def _lines(path: str, before: str, after: str, read: Read) -> Iterator[ChangedLine]:
    around = _file_options(path, read)
    for line in _differing(list(code_lines(path, before)), list(code_lines(path, after))):
        yield ChangedLine(path, line.text, line.options | around, line.function)


def _differing(old: list[CodeLine], new: list[CodeLine]) -> Iterator[CodeLine]:
    """The lines that only one of both has; what they share at both ends is not compared again."""
    start = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), None)
    if start is None:
        start = min(len(old), len(new))
    old, new = old[start:], new[start:]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    for kind, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if kind != "equal":
            yield from old[a:b]
            yield from new[c:d]


def _file_options(path: str, read: Read) -> Options:
    """What a source file needs, by the Makefile beside it."""
    file = PurePosixPath(path)
    if file.suffix not in (".c", ".S"):
        return frozenset()
    return _objects(read(str(file.with_name("Makefile")))).get(file.stem, frozenset())


@cache
def _objects(makefile: str) -> Mapping[str, Options]:
    return object_options(makefile)
