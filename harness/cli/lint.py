# SPDX-License-Identifier: Apache-2.0
"""``harness lint``: predict what a kernel does with the restricted DMA pools of a devicetree."""

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from harness.base.address_range import AddressRange
from harness.base.cpus import usable_cpus
from harness.base.errors import DevicetreeError, InputError
from harness.base.space import parse_size
from harness.cli.lint_output import FORMATS, explain_rule
from harness.machine.devicetree.board import Loader
from harness.machine.devicetree.includes import STDIN, name_of
from harness.machine.devicetree.lint import BoardResult, Expectation, Status, judge
from harness.machine.devicetree.model import RULES, Environment, KernelVersion
from harness.machine.devicetree.model.environment import NEWEST
from harness.machine.devicetree.region import Region

DESCRIPTION = """\
Predict what a kernel does with the restricted DMA pools of devicetrees: which device is
restricted to which pool, which one is not, and why, by the rules of the kernel. BOARD is a blob
(.dtb, /sys/firmware/fdt), a source (.dts) or - for standard input. Exit code 0: every node whose
memory-region names a restricted pool, and every --expect, becomes a restricted device on every
kernel asked for; 1: one does not, or nothing fits into its pool, or the kernel does not boot with
it; 2: cannot tell, or nothing names a pool and nothing is expected."""

PLACES = "Expected BASE+SIZE, for example --memory=0x40000000+4G or --loaded=kernel=0x40200000+64M."

LOADED = ("kernel", "initrd", "dtb", "firmware")
"""What a boot loader puts into RAM."""

WORTH_PROCESSES = 4
"""Files from which on several processes are started; that takes about 0.3 s."""


@dataclass(frozen=True)
class _Work:
    """What to do with each board."""

    loader: Loader
    kernels: tuple[KernelVersion, ...]
    around: Environment
    expected: tuple[Expectation, ...]

    def lint(self, path: str) -> BoardResult:
        """Judge one board; a board that cannot be read is a result too."""
        try:
            board = self.loader.load(path)
        except (DevicetreeError, RecursionError, MemoryError) as fault:
            return BoardResult.unreadable(name_of(path), str(fault) or type(fault).__name__)
        found = [judge(board.tree, one, self.around, self.expected) for one in self.kernels]
        return BoardResult.of(board, found)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "lint",
        help="predict what a kernel does with the restricted pools of a devicetree",
        description=DESCRIPTION,
    )
    _add_inputs(parser)
    _add_environment(parser)
    _add_outputs(parser)
    parser.set_defaults(run=run)


def _add_inputs(parser: argparse.ArgumentParser) -> None:
    """Add the boards, and what is expected of them."""
    parser.add_argument("boards", nargs="*", metavar="BOARD", help="blob, source, or - (stdin)")
    add_board_options(parser)
    parser.add_argument(
        "--expect",
        action="append",
        default=[],
        metavar="NODE=POOL",
        help="the device at this path, alias or node name is restricted to the pool of this name, "
        "label or path; may be repeated",
    )


def add_board_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of every command that reads a board."""
    parser.add_argument(
        "--overlay",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="apply this overlay (.dtbo or source) to BOARD; may be repeated",
    )
    parser.add_argument(
        "--include",
        "-I",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="directory that sources may include files from, beside their own; may be repeated",
    )
    parser.add_argument(
        "--memory",
        action="append",
        default=[],
        metavar="BASE+SIZE",
        help="RAM that the boot loader writes into the memory nodes, instead of what they say, for "
        "example 0x40000000+4G; may be repeated",
    )


def _add_environment(parser: argparse.ArgumentParser) -> None:
    """Add what a prediction depends on beside the devicetree."""
    parser.add_argument(
        "--kernel",
        action="append",
        default=[],
        metavar="VERSION",
        help=f"predict for this version of Linux, for example 6.12; may be repeated "
        f"(default: {NEWEST}, the newest known)",
    )
    parser.add_argument(
        "--loaded",
        action="append",
        default=[],
        metavar="WHAT=BASE+SIZE",
        help=f"what the boot loader puts into RAM ({', '.join(LOADED)}), for example "
        "kernel=0x40200000+64M; may be repeated",
    )
    parser.add_argument(
        "--page-size",
        choices=("4K", "16K", "64K"),
        default="4K",
        help="page size of the kernel (default: %(default)s)",
    )


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    """Add what is printed, and how."""
    parser.add_argument(
        "--all", action="store_true", help="list also devices without a sign of DMA"
    )
    parser.add_argument(
        "--format", choices=sorted(FORMATS), default="text", help="default: %(default)s"
    )
    parser.add_argument(
        "--json", action="store_const", const="json", dest="format", help="same as --format=json"
    )
    parser.add_argument(
        "--explain", action="append", default=[], metavar="RULE", help="explain a rule; 'all': all"
    )


def run(args: argparse.Namespace) -> int:
    """Lint all boards and print what was found; the worst status is the exit code."""
    if args.explain:
        return _explain(args.explain)
    if not args.boards:
        raise InputError("no devicetree to lint. Give a blob or source, or - for standard input.")
    overlays = list(map(str, args.overlay))
    if args.boards.count(STDIN) + overlays.count(STDIN) * len(args.boards) > 1:
        raise InputError("standard input can be read once only, and - was given twice.")
    kernels = tuple(map(KernelVersion.parse, args.kernel or [NEWEST]))
    work = _Work(
        Loader(tuple(args.include), tuple(args.overlay)),
        tuple(dict.fromkeys(kernels)),
        Environment(
            loaded=tuple(map(_loaded, args.loaded)),
            ram=tuple(place_of(one, one) for one in args.memory),
            page=parse_size(args.page_size) or 4096,
        ),
        tuple(map(Expectation.parse, args.expect)),
    )
    results = _lint_all(work, args.boards)
    text = FORMATS[args.format](results, everything=args.all)
    print(text.encode(errors="backslashreplace").decode(), end="")  # a file's name may be any bytes
    return Status.worst([one.status for one in results])


def _lint_all(work: _Work, boards: Sequence[str]) -> list[BoardResult]:
    if len(boards) < WORTH_PROCESSES or STDIN in boards:
        return [work.lint(one) for one in boards]
    workers = min(usable_cpus(), len(boards))
    with ProcessPoolExecutor(workers) as pool:
        return list(pool.map(work.lint, boards, chunksize=max(1, len(boards) // workers // 8)))


def _explain(names: Sequence[str]) -> int:
    wanted = list(RULES) if "all" in names else names
    for name in wanted:
        if name not in RULES:
            raise InputError(f"there is no rule '{name}'. The rules are: {', '.join(RULES)}.")
    print("\n\n".join(explain_rule(RULES[name]) for name in wanted))
    return 0


def _loaded(text: str) -> Region:
    what, _, place = text.partition("=")
    there = place_of(place, text)
    if what not in LOADED:
        raise InputError(f"'{text}' does not say what is loaded: {', '.join(LOADED)}. {PLACES}")
    return Region(there.base, there.size, f"the {what}")


def place_of(text: str, given: str) -> AddressRange:
    """Read ``BASE+SIZE``; raises InputError that quotes *given*, of which *text* is a part."""
    base, plus, size = text.partition("+")
    length = _number(size) if size.lower().startswith("0x") else parse_size(size)
    start = _number(base)
    if not plus or start is None or not length:
        raise InputError(f"'{given}' does not say where it lies. {PLACES}")
    return AddressRange(start, length)


def _number(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return None
