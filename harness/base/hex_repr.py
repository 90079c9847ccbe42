# SPDX-License-Identifier: Apache-2.0
"""Addresses in hex in the repr of a dataclass."""

from dataclasses import fields
from typing import TypeVar

T = TypeVar("T")

ADDRESSES = frozenset(
    {
        *("addr", "address", "dma_addr", "phys", "virt", "base", "orig_addr", "link", "slide"),
        *("dma_mask", "coherent_dma_mask", "seg_boundary", "min_align_mask"),
    }
)
"""Names of fields that hold an address or a mask."""


def hex_repr(cls: type[T]) -> type[T]:
    """Class decorator, above ``@dataclass``: the repr shows addresses and masks in hex."""

    def text(self: T) -> str:
        said = (
            f"{one.name}={shown(one.name, getattr(self, one.name))}"
            for one in fields(self)  # type: ignore[arg-type] # a dataclass, which type[T] cannot say
            if one.repr
        )
        return f"{type(self).__qualname__}({', '.join(said)})"

    cls.__repr__ = text  # type: ignore[assignment] # what a decorator is for
    return cls


def shown(name: str, value: object) -> str:
    """The repr of *value*, in hex if a field of that *name* is an address."""
    return f"{value:#x}" if name in ADDRESSES and isinstance(value, int) else repr(value)
