# SPDX-License-Identifier: Apache-2.0
"""The devicetrees of tests/boards, which say in their comments what the lint finds in them.

The comments, for each group of kernels::

    // lint 6.12 7.3: exit 1
    //   /virtio_mmio@a000000: unrestricted [cells-differ]
    //   error /reserved-memory [cells-differ]

Devices are those with a memory-region and PCI functions.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from harness.machine.devicetree.board import Loader
from harness.machine.devicetree.lint import judge
from harness.machine.devicetree.model import Environment, KernelVersion

BOARDS = Path(__file__).parents[1] / "boards"
KERNELS = ("6.1", "6.12", "7.3")
_GROUP = re.compile(r"// lint ([\d. ]+): exit (\d)")


@dataclass(frozen=True)
class Wanted:
    """What is said of a board on one kernel: the exit code, and lines."""

    status: int
    lines: tuple[str, ...]


def board_files() -> list[Path]:
    """All boards, by name."""
    return sorted(BOARDS.glob("*.dts"))


def wanted(path: Path) -> dict[str, Wanted]:
    """What the comments of *path* say, by kernel."""
    found: dict[str, Wanted] = {}
    for block in re.split(r"(?m)^(?=// lint )", path.read_text())[1:]:
        head, *rest = block.splitlines()
        group = _GROUP.fullmatch(head)
        assert group, f"{path}: {head}"
        lines = tuple(line[5:] for line in rest if line.startswith("//   "))
        for kernel in group[1].split():
            found[kernel] = Wanted(int(group[2]), lines)
    return found


def found(path: Path, kernel: str) -> Wanted:
    """What the lint finds in *path* on *kernel*."""
    board = Loader().load(str(path))
    got = judge(board.tree, KernelVersion.parse(kernel), Environment())
    devices = [
        f"{one.path}: {one.outcome.value} [{one.rule.name}]"
        for one in got.prediction.devices
        if "memory-region" in one.device.node.properties or one.device.bus.name.startswith("PCI")
    ]
    faults = {f"{one.level} {one.path} [{one.rule.name}]" for one in got.faults}
    return Wanted(int(got.status), (*devices, *sorted(faults)))


def comments(path: Path) -> str:
    """The comments that would be right, for review."""
    groups: dict[Wanted, list[str]] = {}
    for kernel in KERNELS:
        groups.setdefault(found(path, kernel), []).append(kernel)
    lines: list[str] = []
    for one, kernels in groups.items():
        lines.append(f"// lint {' '.join(kernels)}: exit {one.status}")
        lines += [f"//   {line}" for line in one.lines]
    return "".join(f"{line}\n" for line in lines)
