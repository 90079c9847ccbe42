# SPDX-License-Identifier: Apache-2.0
"""What the build of a series warns of, and what of the series is not in its kernel."""

import re
from collections.abc import Iterator, Mapping

from harness.kernel.build.kconfig import read_config
from harness.kernel.patches.guards import NOT
from harness.kernel.patches.reach import Reach
from harness.kernel.spec import Kernel

SHOWN = 4
"""Files or options that a sentence names."""

_NUMBERS = re.compile(r":\d+(?=:)")


def new_warnings(base: Kernel, patched: Kernel) -> tuple[str, ...]:
    """The warnings of the build of *patched* that the build of *base* had on no line."""
    known = {_NUMBERS.sub("", one) for one in base.warnings}
    return tuple(one for one in patched.warnings if _NUMBERS.sub("", one) not in known)


def series_notes(reach: Reach, patched: Kernel, flavour: str = "") -> Iterator[str]:
    """Sentences about the options that a series adds, and about its lines that never ran.

    *flavour* is the one that would compile all of them; empty for none.
    """
    config = read_config(patched.config)
    on = [one for one in reach.options if one in config]
    if on:
        yield f"It adds {_options(on)}, which {_is(on)} on in this kernel."
    off = [one for one in reach.options if one not in config]
    if off:
        example = f"CONFIG_{off[0]}=y"
        yield (
            f"It adds {_options(off)}, which {_is(off)} off: neither the default nor the harness's "
            f"fragments turn it on, and what it compiles never ran. --kernel-config=FILE with "
            f"{example} in FILE turns it on."
        )
    yield from _never_ran(reach, config, flavour, frozenset(off))
    if reach.elsewhere:
        yield f"Not compiled for arm64, so not in the guest: {_some(reach.elsewhere)}."


def _never_ran(
    reach: Reach, config: Mapping[str, str], flavour: str, told: frozenset[str]
) -> Iterator[str]:
    """A sentence on the lines that options keep out, other than those *told* already."""
    lines = [line for line in reach.lines if line.off(config)]
    causes = [one for one in reach.off(config) if one not in told]
    if not causes:
        return
    named = ", ".join(map(_state, causes[:SHOWN]))
    which = "None" if len(lines) == len(reach.lines) else f"{len(lines)}"
    verb = "is" if which == "None" else "are not" if len(lines) > 1 else "is not"
    remedy = f" --flavour={flavour} compiles them (--flavour=auto takes it)." if flavour else ""
    yield f"{which} of the {len(reach.lines)} changed lines {verb} compiled: {named}.{remedy}"


def _state(option: str) -> str:
    plain = option.removeprefix(NOT)
    return f"CONFIG_{plain} is {'on' if option.startswith(NOT) else 'off'}"


def _options(names: list[str]) -> str:
    return _some([f"CONFIG_{one}" for one in names])


def _is(names: list[str]) -> str:
    return "are" if len(names) > 1 else "is"


def _some(names: tuple[str, ...] | list[str]) -> str:
    rest = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")
