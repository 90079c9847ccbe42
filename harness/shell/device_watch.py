# SPDX-License-Identifier: Apache-2.0
"""Watch what devices access: by the SMMU's traces, and by our own rogue devices' words."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from harness.base.address_range import AddressRange
from harness.devices.rogue.pci import Bdf
from harness.machine.machine import FENCE_LOG
from harness.machine.qemu.artifacts import ROGUE_LOG
from harness.shell.answer import Answer
from harness.shell.target import Target

TRANSLATED = "smmuv3_translate_success"
"""QEMU's trace event for each access that an SMMU lets through (hw/arm/trace-events, 7.2)."""

_TRANSLATED = re.compile(rf"{TRANSLATED} \S+ sid=0x([0-9a-f]+) iova=\S+ translated=0x([0-9a-f]+)")
ROGUE_ACCESS = re.compile(r"(\S+) (read|write) 0x([0-9a-f]+) (\d+)")


@dataclass(frozen=True, repr=False)
class WatchedRange(AddressRange):
    """Memory that is watched for *access*: read, write, or access for both."""

    access: str


@dataclass
class LogTail:
    """The lines that a file gets from now on."""

    path: Path
    _at: int = 0

    def __post_init__(self) -> None:
        """Begin at its end."""
        self._at = self.path.stat().st_size if self.path.exists() else 0

    def lines(self) -> list[str]:
        """The whole lines since the last call."""
        if not self.path.exists():
            return []
        with self.path.open("rb") as file:
            file.seek(self._at)
            text, end, _ = file.read().rpartition(b"\n")
        self._at += len(text) + len(end)
        return text.decode(errors="replace").splitlines()


@dataclass
class DeviceWatch:
    """Reports the accesses of devices to watched memory, after each command."""

    target: Target
    watched: list[WatchedRange] = field(default_factory=list)
    _tails: list[LogTail] = field(default_factory=list)

    def add(self, phys: int, size: int, access: str) -> Answer:
        """Watch *size* bytes from *phys* on."""
        guest = self.target.guest
        if not self.watched:
            self._tails = [LogTail(guest.directory / name) for name in (FENCE_LOG, ROGUE_LOG)]
            self.target.notices.append(self.news)
        self.watched.append(WatchedRange(phys, size, access))
        text = f"the {access} of {size} bytes at {phys:#x} by a device is reported"
        if not guest.machine.board:
            return Answer(
                f"{text}, of the rogues of this session only: QEMU sees those of other devices "
                "with an SMMU ('harness shell --fence=smmu')"
            )
        guest.monitor.execute("trace-event-set-state", name=TRANSLATED, enable=True)
        return Answer(text)

    def news(self) -> list[str]:
        """A line for each access since the last call."""
        return [
            f"device access: {line}" for tail in self._tails for line in self._hits(tail.lines())
        ]

    def _hits(self, lines: list[str]) -> Iterator[str]:
        for line in lines:
            if found := _TRANSLATED.search(line):
                stream, phys = int(found[1], 16), int(found[2], 16)
                device = Bdf(stream >> 8, stream >> 3 & 0x1F, stream & 7)
                if self._is_watched(phys, 1, "access"):
                    yield f"{device} at {phys:#x}"
            elif found := ROGUE_ACCESS.match(line):
                phys, size = int(found[3], 16), int(found[4])
                if self._is_watched(phys, size, found[2]):
                    yield f"{found[1]} {found[2]}s {size} bytes at {phys:#x}"

    def _is_watched(self, phys: int, size: int, access: str) -> bool:
        accessed = AddressRange(phys, size)
        near = (one for one in self.watched if one.overlaps(accessed))
        return any("access" in (one.access, access) or one.access == access for one in near)
