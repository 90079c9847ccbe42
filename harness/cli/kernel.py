# SPDX-License-Identifier: Apache-2.0
"""``harness kernel``: build and list kernels under test."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from rich.table import Table

from harness.base.cache.inventory import take_inventory
from harness.base.cache.usage import open_usage
from harness.base.errors import InputError
from harness.base.space import size_text
from harness.cli.machines import add_config_options, add_series_option, fragments_of
from harness.cli.tables import age_text, print_table, series_cell
from harness.kernel import (
    Kernel,
    KernelSpec,
    build_kernel,
    cached_kernels,
    helptext,
)
from harness.kernel.build.build import write_build
from harness.kernel.spec import DEFAULT_SOURCE

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

KEY_WIDTH = 12
"""Digits of a key in a table; enough to identify a kernel."""

NAME_WIDTH = 15


def add_parser(subparsers: "Subparsers") -> None:
    """Add ``kernel`` and its own sub-commands."""
    parser = subparsers.add_parser(
        "kernel",
        help="build and list kernels under test",
        description="Build and list kernels under test. scripts/run builds what it needs "
        "by itself.",
    )
    actions = parser.add_subparsers(metavar="ACTION", required=True)
    _add_build(actions)
    listing = actions.add_parser("list", help="list the kernels in the cache")
    listing.set_defaults(run=_list)


def _add_build(actions: "Subparsers") -> None:
    building = actions.add_parser(
        "build", help="build a kernel unless it is cached, and print where it is"
    )
    source = building.add_mutually_exclusive_group()
    source.add_argument("source", nargs="?", metavar="SOURCE", help=helptext.KERNEL)
    source.add_argument("--kernel", metavar="SOURCE", help="the same, as elsewhere")
    add_series_option(building)
    add_config_options(building)
    building.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help="also write the kernel and the tree to build modules against to a new directory DIR, "
        "for --kernel=build:DIR here or on another machine",
    )
    building.set_defaults(run=_build)


def _build(args: argparse.Namespace) -> int:
    spec = KernelSpec(
        args.source or args.kernel or DEFAULT_SOURCE,
        tuple(args.series),
        fragments_of(args),
        args.flavour,
        args.compiler,
    )
    output = args.output
    if output and output.exists():
        raise InputError(f"{output} exists already. Name a directory that is to be made.")
    kernel = build_kernel(spec)
    if output:
        write_build(kernel, spec, output)
    for name, value in _facts(kernel):
        print(f"{name:{NAME_WIDTH}}{value}")
    return 0


def _facts(kernel: Kernel) -> list[tuple[str, str]]:
    return [
        ("key", kernel.key),
        ("release", kernel.release),
        ("build id", kernel.build_id),
        ("source", kernel.source),
        ("series", ", ".join(kernel.series) or "none"),
        ("flavour", kernel.flavour or "none"),
        ("compiler", kernel.compiler),
        ("image", str(kernel.image)),
        ("vmlinux", str(kernel.vmlinux) if kernel.vmlinux.exists() else "none"),
        ("modules", str(kernel.modules or "none")),
        ("configuration", str(kernel.config)),
    ]


def _list(_: argparse.Namespace) -> int:
    table = Table("key", "release", "source", "series", "config", "size", "built", "last used")
    with open_usage() as book:
        entries = take_inventory(book).of("kernels")
    kernels = cached_kernels()
    for entry in reversed(entries):
        kernel = kernels.get(entry.path.name)
        if kernel is None:
            continue
        table.add_row(
            kernel.key[:KEY_WIDTH],
            kernel.release,
            kernel.source,
            series_cell(kernel.titles or kernel.series) or "none",
            ", ".join(filter(None, (kernel.flavour, *kernel.fragments))) or "plain",
            size_text(entry.size),
            age_text(kernel.image.stat().st_mtime),
            age_text(entry.used),
        )
    print_table(table)
    return 0
