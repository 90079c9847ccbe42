# SPDX-License-Identifier: Apache-2.0
"""Configuration fragments: files of kernel options, as Linux's own merge_config.sh takes them.

Comments that begin with ``#:`` are instructions to the harness::

    #: kernels <7.3             the next option exists in these versions only
    CONFIG_PROC_SYSCTL=y
    #: make GCOV_PROFILE_swiotlb.o=y   a variable for the kernel's makefiles
    #: compiler clang                  the compiler, unless --compiler names another one
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from harness.base.errors import ConfigError, InputError
from harness.kernel.build.compiler import Compiler, compiler_named
from harness.kernel.source.version import parse_range

SETTING = re.compile(r"CONFIG_([A-Za-z0-9_]+)=(y|m|n|-?\d+|0[xX][0-9a-fA-F]+|\"[^\"]*\")")
_UNSET = re.compile(r"# CONFIG_([A-Za-z0-9_]+) is not set")
_KERNELS = re.compile(r"#: kernels (\S.*)")
_MAKE = re.compile(r"#: make ([A-Z]\S*=.*)")
_COMPILER = re.compile(r"#: compiler (\S+)")

UNSET = "n"


@dataclass(frozen=True)
class Option:
    """One wanted option: symbol without ``CONFIG_``, value, and the FILE:LINE that asks for it."""

    symbol: str
    value: str
    place: str

    @property
    def line(self) -> str:
        """The option as a line of a configuration."""
        if self.value == UNSET:
            return f"# CONFIG_{self.symbol} is not set"
        return f"CONFIG_{self.symbol}={self.value}"


@dataclass(frozen=True)
class Wanted:
    """What fragments ask for: options by symbol, settings of make variables, and a compiler.

    *compiler* is a name as in compiler.py, empty if no fragment needs another one than the default.
    """

    options: Mapping[str, Option]
    variables: tuple[str, ...] = ()
    compiler: str = ""

    @property
    def text(self) -> str:
        """The options as one fragment."""
        return "".join(f"{option.line}\n" for option in self.options.values())


def read_fragments(fragments: Sequence[Path], version: Version) -> Wanted:
    """Merge *fragments* for a kernel of *version*; the last fragment that sets an option wins.

    Raises ConfigError, with FILE:LINE, for a line that is not valid.
    """
    read = [_read_line(*line, version) for path in fragments for line in _lines(path)]
    options = {item.symbol: item for item in read if isinstance(item, Option)}
    variables = tuple(item for item in read if isinstance(item, str))
    compilers = [item.name for item in read if isinstance(item, Compiler)]
    return Wanted(options, variables, compilers[-1] if compilers else "")


def _lines(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield FILE:LINE, the line above and the line itself, for each line of a fragment."""
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigError(f"the configuration fragment {path} cannot be read: {fault}") from fault
    above = ""
    for number, line in enumerate(lines, 1):
        yield f"{path}:{number}", above, line.strip()
        above = line.strip()


def _read_line(
    place: str, above: str, line: str, version: Version
) -> Option | Compiler | str | None:
    """Return what a line asks for: an option, a compiler, a make variable, or nothing."""
    if compiler := _COMPILER.fullmatch(line):
        try:
            return compiler_named(compiler[1])
        except InputError as fault:
            raise ConfigError(f"{place}: {fault}.") from fault
    if variable := _MAKE.fullmatch(line):
        return variable[1]
    if setting := SETTING.fullmatch(line):
        option = Option(setting[1], setting[2], place)
    elif absence := _UNSET.fullmatch(line):
        option = Option(absence[1], UNSET, place)
    elif line.startswith("#:") and not _KERNELS.fullmatch(line):
        raise ConfigError(
            f"{place}: '{line}' is none of '#: kernels RANGE', '#: make NAME=VALUE' and "
            "'#: compiler NAME'."
        )
    elif line and not line.startswith("#"):
        raise ConfigError(
            f"{place}: '{line}' is not a line of a kernel configuration. Expected CONFIG_NAME=y, "
            "=m, =n, a number or a \"string\", '# CONFIG_NAME is not set', or a comment."
        )
    else:
        return None
    limited = _KERNELS.fullmatch(above)
    return option if not limited or version in parse_range(limited[1], place) else None
