# SPDX-License-Identifier: Apache-2.0
"""``harness matrix``: run every attack with every rogue under every protection."""

import argparse
import json
import time
from collections.abc import Sequence

from harness.base.progress import say, step
from harness.cli.machines import add_kernel_options, kernel_of
from harness.cli.outputs import add_output
from harness.cli.tables import print_table
from harness.devices.attacks import Cell, MeasuredCell, cells, run_cells
from harness.devices.attacks.soak import Leak, soak
from harness.devices.attacks.table import matrix_json, matrix_page, matrix_table
from harness.devices.rogue import rogue_kinds
from harness.machine.binary import Qemu
from harness.machine.environment import Environment
from harness.machine.fence import FENCES

AS_EXPECTED, NOT_AS_EXPECTED = 0, 1


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the sub-command."""
    parser = subparsers.add_parser(
        "matrix",
        help="run the attack matrix: attacks x rogue devices x protections",
        description="Run each cell of the attack matrix in its own guest and print the outcome: "
        "stopped, contained or succeeded. Exit code 1: a cell is not as expected.",
    )
    parser.add_argument(
        "attacks", nargs="*", metavar="ATTACK", help="names or globs of attacks (default: all)"
    )
    add_kernel_options(parser)
    parser.add_argument(
        "--pci-fence",
        choices=[name for name in FENCES if name != "split"],
        default="smmu",
        help="fence for rogues that are PCI bus masters (default: smmu)",
    )
    parser.add_argument(
        "--cycles",
        type=int,
        metavar="N",
        help="run N cells in one process, again and again, and check for leaks",
    )
    add_output(parser, "--json", "write the outcomes as JSON")
    add_output(parser, "--html", "write a page with the artifacts of each cell")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the cells, print the table, write the reports."""
    qemu, kernel, initramfs = kernel_of(arguments)
    environment, fence = Environment(qemu, kernel, initramfs), arguments.pci_fence
    wanted, begin = _possible(cells(arguments.attacks), qemu), time.monotonic()
    if arguments.cycles:
        return _soak(soak(environment, wanted, arguments.cycles, fence), begin)
    results = []
    with step(f"{len(wanted)} cells") as progress:
        for result in run_cells(environment, wanted, fence):
            results.append(result)
            progress.update(len(results), len(wanted), str(result.cell))
    print_table(matrix_table(results))
    _print_wrong(results)
    if arguments.json:
        text = json.dumps(matrix_json(results, kernel.release), indent=1)
        arguments.json.write_text(text + "\n")
    if arguments.html:
        arguments.html.write_text(matrix_page(results, kernel.release))
    return _conclude(results, begin)


def _possible(wanted: Sequence[Cell], qemu: Qemu) -> list[Cell]:
    """The cells whose rogue QEMU has; says which it lacks."""
    kinds = rogue_kinds()
    lacking = qemu.capabilities.lacking([kinds[one].device for one in sorted(kinds)])
    for device in lacking:
        say(f"{qemu.path} has no device '{device}': its cells are left out")
    return [cell for cell in wanted if kinds[cell.rogue].device not in lacking]


def _print_wrong(results: Sequence[MeasuredCell]) -> None:
    for result in results:
        if not result.as_expected:
            print(f"{result.cell}: {result.detail}")


def _conclude(results: Sequence[MeasuredCell], begin: float) -> int:
    good = sum(result.as_expected for result in results)
    seconds = time.monotonic() - begin
    print(f"{good} of {len(results)} cells as expected, {seconds:.0f} s")
    return AS_EXPECTED if good == len(results) else NOT_AS_EXPECTED


def _soak(soaked: tuple[list[MeasuredCell], list[Leak]], begin: float) -> int:
    results, leaks = soaked
    for leak in leaks:
        print(leak)
    _print_wrong(results)
    code = _conclude(results, begin)
    return NOT_AS_EXPECTED if any(leak.grew for leak in leaks) else code
