# SPDX-License-Identifier: Apache-2.0
"""What the lint found, as plain rows to print, to write as JSON and to pass between processes."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.base.hex_repr import hex_repr
from harness.machine.devicetree.board import Board
from harness.machine.devicetree.flat import FlatNode
from harness.machine.devicetree.lint.judgement import BoardJudgement, Status
from harness.machine.devicetree.lint.measures import measure
from harness.machine.devicetree.model.attachment import DevicePrediction, Restriction, is_too_large
from harness.machine.devicetree.model.devices import Bus
from harness.machine.devicetree.model.regions import Kind, ReservedNode
from harness.machine.devicetree.model.rules import RULES
from harness.machine.devicetree.positions import Position

SIGNS = (
    *("memory-region", "iommus", "iommu-map", "dma-coherent", "dma-noncoherent"),
    "#dma-cells",
)
"""Properties of nodes that do DMA, or describe it."""

NAMES = frozenset(
    {
        *("crypto", "display-controller", "display", "dma-controller", "dma", "ethernet", "gpu"),
        *("hdmi", "isp", "jpegdec", "jpegenc", "lcd-controller", "mmc", "nand-controller", "npu"),
        *("pcie", "pci", "sata", "scsi", "sdhci", "sdmmc", "ufs", "ufshc", "usb", "video-codec"),
        *("vpu", "wifi", "virtio_mmio", "virtio", "remoteproc", "camera", "csi", "mmcif"),
    }
)
"""Generic names of nodes (Devicetree Specification 0.4, 2.2.2) of devices that do DMA."""


@dataclass(frozen=True)
class DeviceRow:
    """A device; *evident* if the tree shows that it may do DMA.

    *function* and *kernels* are the kernel's code behind the *rule*, and the versions with it.
    """

    path: str
    outcome: str
    pool: str
    why: str
    rule: str
    function: str
    kernels: str
    condition: str
    evident: bool
    position: Position | None


@hex_repr
@dataclass(frozen=True)
class PoolRow:
    """A node that wants to be a restricted pool. *base* is None if it has no place; bytes."""

    path: str
    name: str
    became: str
    base: int | None
    size: int
    dynamic: bool
    slots: int
    largest_mapping: int
    largest_coherent: int
    users: tuple[str, ...]
    position: Position | None


@dataclass(frozen=True)
class FaultRow:
    """Something that is wrong; *level* is note, warning or error.

    *kernels* are the versions with the *rule*, empty for all; *finding* is the place of its entry,
    empty if there is none.
    """

    level: str
    rule: str
    function: str
    kernels: str
    finding: str
    path: str
    text: str
    position: Position | None


@dataclass(frozen=True)
class KernelRows:
    """All that was found for one kernel; *known* unless it is newer than the rules."""

    kernel: str
    known: bool
    status: Status
    devices: tuple[DeviceRow, ...]
    pools: tuple[PoolRow, ...]
    faults: tuple[FaultRow, ...]
    complaints: tuple[str, ...]
    log: tuple[str, ...]


@dataclass(frozen=True)
class BoardResult:
    """One file: what was found for each kernel, or the *error* for which it cannot be read."""

    name: str
    kernels: tuple[KernelRows, ...]
    error: str = ""

    @classmethod
    def unreadable(cls, name: str, error: str) -> "BoardResult":
        """The result of a file that cannot be read."""
        return cls(name, (), error)

    @classmethod
    def of(cls, board: Board, found: Sequence[BoardJudgement]) -> "BoardResult":
        """The result of a board, by kernel."""
        return cls(board.name, tuple(_rows(board, one) for one in found))

    @property
    def status(self) -> Status:
        """The worst of all kernels; UNKNOWN for a file that cannot be read."""
        return Status.worst([one.status for one in self.kernels])


def _rows(board: Board, found: BoardJudgement) -> KernelRows:
    prediction = found.prediction
    worth = any(one.rule is not RULES["nothing-named"] for one in found.faults)
    worth = worth or any(one.names for one in prediction.devices)

    def where(path: str, name: str = "") -> Position | None:
        return board.where(path.removesuffix("/*"), name) if worth else None

    pools = [one for one in prediction.regions.nodes if one.is_meant_as_pool]
    return KernelRows(
        kernel=found.kernel.text,
        known=found.kernel.is_known,
        status=found.status,
        devices=tuple(
            _device(one, where(one.path) if _is_evident(one) else None)
            for one in prediction.devices
            if one.outcome is not Restriction.NO_DEVICE
            or "memory-region" in one.device.node.properties
        ),
        pools=tuple(
            _pool(one, found, [user.path for user in prediction.users(one)], where(one.node.path))
            for one in pools
        ),
        faults=tuple(
            FaultRow(
                *(str(one.level), one.rule.name, one.rule.function, one.rule.kernels),
                *(one.rule.entry, one.path, one.text, where(one.path, one.name)),
            )
            for one in found.faults
        ),
        complaints=found.complaints,
        log=(
            *prediction.regions.log,
            *(f"{v.path}: {line}" for v in prediction.devices for line in v.log.splitlines()),
        ),
    )


def _device(one: DevicePrediction, position: Position | None) -> DeviceRow:
    condition = "; ".join(filter(None, (one.condition, one.virtio_condition)))
    return DeviceRow(
        path=one.path,
        outcome=one.outcome.value,
        pool=one.pool.name if one.pool else "",
        why=one.why,
        rule=one.rule.name,
        function=one.rule.function,
        kernels=one.rule.kernels,
        condition=condition,
        evident=_is_evident(one),
        position=position,
    )


def _is_evident(one: DevicePrediction) -> bool:
    """Whether the tree shows that the device may do DMA."""
    if one.device.bus in (Bus.PCI, Bus.PCI_HOST, Bus.PCI_REST) or one.pool is not None:
        return True
    node: FlatNode = one.device.node
    if "#iommu-cells" in node.properties:
        return False
    has_sign = any(name in node.properties for name in SIGNS)
    return has_sign or node.name.partition("@")[0] in NAMES


def _pool(
    one: ReservedNode, found: BoardJudgement, users: Sequence[str], position: Position | None
) -> PoolRow:
    got = (
        measure(one.place, found.kernel, found.prediction.around.page)
        if one.kind is Kind.POOL
        and one.base is not None
        and not is_too_large(one, found.prediction.around)
        else None
    )
    return PoolRow(
        path=one.node.path,
        name=one.name,
        became=one.kind.value,
        base=one.base,
        size=one.size,
        dynamic=one.dynamic,
        slots=got.slots if got else 0,
        largest_mapping=got.largest_mapping if got else 0,
        largest_coherent=got.largest_coherent if got else 0,
        users=tuple(users),
        position=position,
    )
