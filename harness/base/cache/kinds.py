# SPDX-License-Identifier: Apache-2.0
"""The kinds of things in the cache: what they are, and what it costs to make one again."""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.base.cache.layout import FAILURES, LANES

USUAL_WORTH = 4.0
"""The worth of an entry that takes seconds to make and is small."""

NEVER = 0.0
"""The worth of what is not evicted: results, and the state of jobs."""


@dataclass(frozen=True)
class Kind:
    """A kind of thing in the cache; most have a directory of that name.

    *content*: what a person reads about it. *worth*: how much it costs to make one again: one of
    worth 8 that was not used for eight hours goes like one of worth 1 that was not used for an
    hour. *slow*: that takes minutes, or the network, so its eviction is announced. *shared*: it
    takes long to build and is the same on every machine, so machines share it in a store.
    *linked*: files of it are hard links that things of other kinds have too: a failure links those
    of its machine.
    """

    name: str
    content: str = ""
    worth: float = USUAL_WORTH
    slow: bool = False
    shared: bool = False
    linked: bool = False


KINDS: Mapping[str, Kind] = {
    one.name: one
    for one in (
        Kind("kernels", "built kernels", 8.0, slow=True, shared=True, linked=True),  # minutes
        Kind("initramfs", "guest programs, packed for a kernel", shared=True, linked=True),
        Kind("probes", "compiled probes"),
        Kind("kbuild-tools", "sources of fixdep and modpost"),
        Kind("agents", "the guest's agent, compiled"),
        Kind("parked", "booted guests, saved", 1.0),  # a second or two
        Kind("builds", "build directories of kernels", slow=True),  # less with ccache
        # a minute, and all builds with them
        Kind("workspaces", "source trees of kernels", 8.0, slow=True),
        Kind("ccache", "compiled objects", NEVER),  # it has a limit of its own
        Kind("packages", "downloaded packages", 8.0, slow=True),
        Kind("apt", "package lists", 8.0),
        Kind("git", "fetched repositories", 8.0, slow=True),
        # cannot be made again; they have a limit of their own
        Kind(FAILURES, "artifacts of failed tests", 16.0, linked=True),
        Kind(LANES, "chroots of scripts/lane", 16.0),  # minutes, a download, the caches in it
        Kind("verdicts", "judgements on mutants", 32.0),  # a few KiB for minutes
        Kind("bases", "results of bases of comparisons", 32.0),
        Kind("coverage", "line counts of kernels", 8.0),  # a whole run
        Kind("devicetrees", "QEMU's own devicetrees"),
        Kind("firmware", "firmware of fences"),
        Kind("qemu-capabilities", "what each QEMU can do"),
        Kind("qemu-plugins", "compiled plugins of QEMU"),
        Kind("series", "patches of series"),
        Kind("shapes", "pools of boards, as overlays"),
        Kind("other", "history, findings, state of jobs; never evicted", NEVER),
    )
}


def kind_of(name: str) -> Kind:
    """The kind of that name; a plain one if the table has none."""
    return KINDS.get(name) or Kind(name)
