# SPDX-License-Identifier: Apache-2.0
"""``harness cache``: what the cache holds, and how to make it smaller."""

import argparse
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Column, Table

from harness.base.cache.budget import VARIABLE, cache_budget, wanted_size
from harness.base.cache.evict import prune
from harness.base.cache.inventory import Inventory, Item, take_inventory
from harness.base.cache.kinds import kind_of
from harness.base.cache.layout import FAILURES
from harness.base.cache.usage import measure, name_of, open_usage
from harness.base.errors import InputError
from harness.base.paths import cache_directory
from harness.base.space import parse_size, size_text
from harness.cli.outputs import add_output
from harness.cli.tables import age_text, print_table, series_cell
from harness.kernel import cached_kernels

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

DAY = 24 * 3600


@dataclass(frozen=True)
class KernelUsage:
    """A kernel by the names that a person knows, and all that the cache holds of it."""

    key: str
    release: str
    flavour: str
    series: tuple[str, ...]
    items: tuple[Item, ...]

    def of(self, kind: str) -> list[Item]:
        """Its items of one kind."""
        return [one for one in self.items if one.kind == kind]

    @property
    def used(self) -> float:
        """When any of them was used last, in seconds since the epoch."""
        return max(one.used for one in self.items)


def add_parser(subparsers: "Subparsers") -> None:
    """Add ``cache`` and its own sub-command."""
    parser = subparsers.add_parser(
        "cache",
        help="show what takes how much disk space in the cache, and make it smaller",
        description=f"Show what takes how much disk space in the cache, and for which kernels. The "
        f"cache keeps itself within {VARIABLE}, for example 8G; by default the smaller of 20 GiB "
        "and a third of what is free and cached together.",
    )
    add_output(parser, "--json", "write the listing as JSON")
    parser.set_defaults(run=_show)
    actions = parser.add_subparsers(metavar="ACTION")
    pruning = actions.add_parser(
        "prune",
        help="remove what was not used for the longest time",
        description="Remove what was not used for the longest time, parked guests of patched "
        f"kernels first, until the cache is within its budget ({VARIABLE}). What a running session "
        "uses stays, and so does the history.",
    )
    pruning.add_argument("--to", type=_size, metavar="SIZE", help="shrink it to SIZE, such as 4G")
    pruning.add_argument(
        "--older-than",
        type=float,
        metavar="DAYS",
        help="first remove everything that was not used for DAYS days; 0 removes everything",
    )
    pruning.add_argument(
        "--dry-run", action="store_true", help="print what would be removed, and remove nothing"
    )
    pruning.set_defaults(run=_prune)


def _size(text: str) -> int:
    size = parse_size(text)
    if size is None:
        raise InputError(f"--to={text}: expected a size such as 4G, 500M, or a number of bytes")
    return size


def _show(args: argparse.Namespace) -> int:
    with open_usage() as usage:
        inventory = take_inventory(usage, anew=True)
    kernels = _kernel_usage(inventory)
    budget = cache_budget(inventory.total)
    why = VARIABLE if wanted_size() is not None else f"{VARIABLE} changes it"
    total = size_text(inventory.total)
    print(f"{total} of at most {size_text(budget)} ({why}) in {cache_directory()}")
    print_table(_by_kind(inventory))
    print_table(_by_kernel(kernels))
    if args.json:
        args.json.write_text(json.dumps(_as_json(inventory, kernels, budget), indent=1) + "\n")
    return 0


def _prune(args: argparse.Namespace) -> int:
    names = _names()
    older = args.older_than * DAY if args.older_than is not None else None
    gone = prune(args.to, older, dry_run=args.dry_run)
    verb = "would remove" if args.dry_run else "removed"
    for item in gone:
        name = names.get(item.kernel, "")
        print(f"{verb} {name_of(item.path)}, {size_text(item.size)}{name and f', of {name}'}")
    print(f"{verb} {size_text(sum(item.size for item in gone))}")
    return 0


def _kernel_usage(inventory: Inventory) -> list[KernelUsage]:
    """The kernels that anything in the cache belongs to, most recently used first."""
    items: defaultdict[str, list[Item]] = defaultdict(list)
    for item in inventory.items:
        if item.kernel:
            items[item.kernel].append(item)
    kernels = cached_kernels()
    named = []
    for key, own in items.items():
        kernel = kernels.get(key)
        series = (kernel.titles or kernel.series) if kernel else ()
        release, flavour = (kernel.release, kernel.flavour) if kernel else ("", "")
        named.append(KernelUsage(key, release, flavour, series, tuple(own)))
    return sorted(named, key=lambda one: -one.used)


def _names() -> Mapping[str, str]:
    """The kernels in one line each, by key."""
    return {
        key: " ".join([one.release, one.flavour, *(one.titles or one.series)[:1]])
        for key, one in cached_kernels().items()
    }


def _by_kind(inventory: Inventory) -> Table:
    table = Table("kind", *map(_right, ("number", "size")), "last used", "what it is")
    kinds = sorted(
        {one.kind for one in inventory.items}, key=lambda kind: -_sum(inventory.of(kind))
    )
    for kind in kinds:
        items = inventory.of(kind)
        number = str(len(items)) if kind not in ("other", "ccache") else ""
        used, content = age_text(items[-1].used), kind_of(kind).content
        table.add_row(kind, number, size_text(_sum(items)), used, content)
    if inventory.shared:
        table.add_row(
            "shared", "", size_text(inventory.shared), "", "files of kernels and failures"
        )
    return table


def _by_kernel(kernels: Sequence[KernelUsage]) -> Table:
    sizes = map(_right, ("kernel", "programs", "parked", "", "failures", ""))
    table = Table("release", "flavour", "series", *sizes, "last used", "key")
    for one in kernels:
        parked, failures = one.of("parked"), one.of(FAILURES)
        table.add_row(
            one.release or "(removed)",
            one.flavour or "plain",
            escape(series_cell(one.series)) or ("none" if one.release else ""),
            *(_kernel_cell(one), _cell(one.of("initramfs"))),
            *(str(len(parked) or ""), _cell(parked), str(len(failures) or ""), _cell(failures)),
            age_text(one.used),
            one.key[:12],
        )
    return table


def _as_json(inventory: Inventory, kernels: Sequence[KernelUsage], budget: int) -> dict[str, Any]:
    """The listing for programs; sizes in bytes, times in seconds since the epoch."""
    kinds = sorted({one.kind for one in inventory.items})
    return {
        "directory": str(cache_directory()),
        "budget": budget,
        "size": inventory.total,
        "shared": inventory.shared,
        "kinds": {
            kind: {"number": len(inventory.of(kind)), "size": _sum(inventory.of(kind))}
            for kind in kinds
        },
        "kernels": [
            {
                "key": one.key,
                "release": one.release,
                "flavour": one.flavour,
                "series": one.series,
                "used": one.used,
                "sizes": {kind: _sum(one.of(kind)) for kind in {item.kind for item in one.items}},
            }
            for one in kernels
        ],
    }


def _sum(items: Sequence[Item]) -> int:
    return sum(one.size for one in items)


def _cell(items: Sequence[Item]) -> str:
    return size_text(_sum(items)) if items else ""


def _kernel_cell(kernel: KernelUsage) -> str:
    """The size of the kernel itself, also of files that its failures link."""
    for item in kernel.of("kernels"):
        own, linked = measure(item.path)
        return size_text(own + sum(linked.values()))
    return ""


def _right(title: str) -> Column:
    return Column(title, justify="right")
