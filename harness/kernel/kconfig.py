# SPDX-License-Identifier: Apache-2.0
"""Configuration fragments: reading them, merging them, and checking that every option stuck."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import ConfigError
from harness.kernel.reasons import explain_missing, read_entries

_SET = re.compile(r"CONFIG_([A-Za-z0-9_]+)=(y|m|n|-?\d+|0[xX][0-9a-fA-F]+|\"[^\"]*\")")
_UNSET = re.compile(r"# CONFIG_([A-Za-z0-9_]+) is not set")

UNSET = "n"


@dataclass(frozen=True)
class Option:
    """One wanted option: its symbol without ``CONFIG_``, its value, and where that is asked for."""

    symbol: str
    value: str
    place: str

    @property
    def line(self) -> str:
        """The option as a line of a configuration."""
        if self.value == UNSET:
            return f"# CONFIG_{self.symbol} is not set"
        return f"CONFIG_{self.symbol}={self.value}"


def read_fragments(fragments: Sequence[Path]) -> Mapping[str, Option]:
    """Merge *fragments*; of two that set one option the later wins. Raises ConfigError."""
    return {option.symbol: option for path in fragments for option in _read_fragment(path)}


def _read_fragment(path: Path) -> Sequence[Option]:
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigError(f"the configuration fragment {path} can not be read: {fault}.") from fault
    options = []
    for number, line in enumerate(lines, 1):
        place = f"{path}:{number}"
        if setting := _SET.fullmatch(line.strip()):
            options.append(Option(setting[1], setting[2], place))
        elif absence := _UNSET.fullmatch(line.strip()):
            options.append(Option(absence[1], UNSET, place))
        elif line.strip() and not line.startswith("#"):
            raise ConfigError(
                f"{place}: '{line}' is no line of a kernel configuration. Expected CONFIG_NAME=y, "
                "=m, =n, a number or a \"string\", '# CONFIG_NAME is not set', or a comment."
            )
    return options


def render(options: Mapping[str, Option]) -> str:
    """Return *options* as one fragment."""
    return "".join(f"{option.line}\n" for option in options.values())


def read_config(path: Path) -> Mapping[str, str]:
    """Return symbol and value of everything that is set in a complete configuration."""
    found = (_SET.fullmatch(line) for line in path.read_text().splitlines())
    return {setting[1]: setting[2] for setting in found if setting}


def check_config(options: Mapping[str, Option], config: Path, source: Path) -> None:
    """Raise ConfigError, naming options and likely reasons, if any did not make it to *config*."""
    have = read_config(config)
    missing = [o for o in options.values() if have.get(o.symbol, UNSET) != o.value]
    if not missing:
        return
    entries = list(read_entries(source))
    reasons = "; ".join(
        f"{option.line} ({option.place}): {explain_missing(entries, option.symbol, have)}"
        for option in missing
    )
    raise ConfigError(
        f"the kernel configuration lacks what was asked for. {reasons}. "
        f"Correct the fragments; the configuration as it came out is {config}."
    )
