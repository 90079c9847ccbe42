# SPDX-License-Identifier: Apache-2.0
"""Read complete configurations, and check that they have every wanted option."""

from collections.abc import Mapping
from pathlib import Path

from harness.base.errors import ConfigError
from harness.kernel.build.fragment import SETTING, UNSET, Option
from harness.kernel.build.reasons import explain_missing, read_entries


def read_config(path: Path) -> Mapping[str, str]:
    """Return symbol and value of everything that is set in a complete configuration.

    Bytes that are not UTF-8 occur only in strings and comments; they are replaced.
    """
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    found = map(SETTING.fullmatch, lines)
    return {setting[1]: setting[2] for setting in found if setting}


def unmet(options: Mapping[str, Option], config: Mapping[str, str]) -> list[Option]:
    """Return those of *options* that *config*, a complete configuration, does not have."""
    return [one for one in options.values() if config.get(one.symbol, UNSET) != one.value]


def check_config(options: Mapping[str, Option], config: Path, source: Path) -> None:
    """Raise ConfigError, naming options and likely reasons, if *config* lacks any."""
    have = read_config(config)
    missing = unmet(options, have)
    if not missing:
        return
    entries = list(read_entries(source))
    reasons = "; ".join(
        f"{option.line} ({option.place}): {explain_missing(entries, option.symbol, have)}"
        for option in missing
    )
    raise ConfigError(
        f"the kernel configuration lacks wanted options. {reasons}. "
        f"Correct the fragments; the configuration that the kernel made of them is {config}.",
        tuple(option.symbol for option in missing),
    )
