# SPDX-License-Identifier: Apache-2.0
"""Expectations of how a call of the DMA API ends."""

from collections.abc import Callable
from collections.abc import Mapping as Table
from typing import ParamSpec, TypeVar

from harness.devices.probe import (
    DmaError,
    Mapped,
)
from harness.suite.lib.expect.wording import violation_of

P = ParamSpec("P")


T = TypeVar("T")


C_NAMES: Table[str, str] = {"map_sg": "dma_map_sgtable", "alloc": "dma_alloc_attrs"}
"""C functions behind methods of the probe, where the name is another."""


def mapped(outcome: Mapped | DmaError, size: int) -> int:
    """The kernel mapped *size* bytes; returns the DMA address."""
    if isinstance(outcome, DmaError):
        raise violation_of("A mapping that fits was refused.", f"{size} bytes mapped", str(outcome))
    return outcome.dma_addr


def not_mapped(outcome: Mapped | DmaError, size: int) -> None:
    """The kernel refused to map *size* bytes."""
    if isinstance(outcome, Mapped):
        summary = f"The kernel mapped {size} bytes that it must refuse."
        raise violation_of(summary, "DMA_MAPPING_ERROR", f"{outcome.dma_addr:#x}")


def refused(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> DmaError:
    """The kernel refuses *call*; returns the error."""
    try:
        got = call(*args, **kwargs)
    except DmaError as error:
        return error
    name = getattr(call, "__name__", "the call")
    function = C_NAMES.get(name, f"dma_{name}")
    given = getattr(got, "segments", [got])
    seen = ", ".join(f"{one.dma_addr:#x}" for one in given if hasattr(one, "dma_addr"))
    wanted = "NULL" if "alloc" in name else "DMA_MAPPING_ERROR"
    summary = f"{function}() succeeded where the kernel must refuse."
    raise violation_of(summary, wanted, seen or "success")
