# SPDX-License-Identifier: Apache-2.0
"""Which flavour compiles what a series changes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from packaging.version import Version

from harness.base.progress import say
from harness.kernel.build.fragment import UNSET, read_fragments
from harness.kernel.patches.reach import Reach
from harness.kernel.source.sources import resolve_source
from harness.kernel.spec import KernelSpec, flavours

AUTO = "auto"
"""The name that stands for the flavour that a series needs."""


def needed_flavour(spec: KernelSpec, reach: Reach) -> str:
    """The flavour without which no line that a series changes is compiled; empty if there is none.

    *spec* is the kernel without a flavour. Only options that flavours set count; of several that
    compile all lines, the one with the fewest options is taken.
    """
    version = resolve_source(spec.source).version
    plain = _on(spec.fragments, version)
    own = {one.stem: _on([one], version) - plain for one in flavours()}
    known = frozenset().union(*own.values())
    missing = [line.options & known for line in reach.lines]
    if not missing or not all(missing):
        return ""
    wanted = frozenset().union(*missing)
    fitting = [name for name, options in own.items() if wanted <= options]
    return min(fitting, key=lambda name: (len(own[name]), name), default="")


def with_flavour(spec: KernelSpec, reach: Reach | None) -> KernelSpec:
    """*spec* with the flavour that its series needs in the place of AUTO, which is said."""
    if spec.flavour != AUTO:
        return spec
    plain = replace(spec, flavour="")
    needed = needed_flavour(plain, reach) if reach else ""
    say(f"flavour: {needed or 'none, the plain kernel compiles the series'}")
    return replace(plain, flavour=needed)


def _on(fragments: Sequence[Path], version: Version) -> frozenset[str]:
    """The options that *fragments* turn on."""
    options = read_fragments(fragments, version).options.values()
    return frozenset(one.symbol for one in options if one.value != UNSET)
