# SPDX-License-Identifier: Apache-2.0
"""No dataclass of the project shows an address in decimal."""

import dataclasses
import importlib
import pkgutil

import pytest

import harness
from harness.base.hex_repr import ADDRESSES
from harness.devices.probe import Mapped

VALUE = 0x4F00_7000

NOT_IMPORTED = "harness.results.history.migrations"
"""Alembic imports these, with names that exist only then."""


def address_classes() -> list[type]:
    """Every dataclass of the project with a field that is an address or a mask by its name."""
    found: dict[type, None] = {}
    for module in pkgutil.walk_packages(harness.__path__, "harness."):
        if module.name.startswith(NOT_IMPORTED):
            continue
        for one in vars(importlib.import_module(module.name)).values():
            if isinstance(one, type) and dataclasses.is_dataclass(one) and shown_fields(one):
                found[one] = None
    return [one for one in found if one.__module__.startswith("harness")]


def is_address(field: dataclasses.Field[object]) -> bool:
    return field.repr and field.name in ADDRESSES and field.type in (int, int | None)


def shown_fields(one: type) -> list[str]:
    fields = dataclasses.fields(one)  # type: ignore[arg-type] # checked by the caller
    return [field.name for field in fields if is_address(field)]


def test_a_repr_shows_addresses_in_hex_and_sizes_in_decimal() -> None:
    assert repr(Mapped(VALUE, 0x10)) == "Mapped(dma_addr=0x4f007000, phys=0x10)"


@pytest.mark.parametrize(
    "one", address_classes(), ids=lambda one: f"{one.__module__}.{one.__name__}"
)
def test_every_address_is_in_hex(one: type) -> None:
    value = object.__new__(one)
    for field in dataclasses.fields(one):  # type: ignore[arg-type] # all of them are
        object.__setattr__(value, field.name, VALUE if is_address(field) else 1)

    assert "0x4f007000" in repr(value)
    assert str(VALUE) not in repr(value)
