# SPDX-License-Identifier: Apache-2.0
"""Expressions stand for addresses; what is none is refused with what may have been meant."""

import contextlib
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.base.errors import HarnessError, InputError
from harness.observe.memory import KernelTypes
from harness.observe.memory.names import Resolver


class Fixed:
    """Two names."""

    def find(self, name: str) -> int | None:
        """Their addresses."""
        return {"linux_banner": 0x1000, "pool:slot1": 0x4F00_0800}.get(name)

    def names(self) -> Iterable[str]:
        """The names."""
        return ["linux_banner", "pool:slot1"]


def _no_types() -> KernelTypes:
    raise InputError("there is no vmlinux")


@pytest.fixture
def resolver() -> Resolver:
    return Resolver(_no_types, [Fixed()])


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("0x40", 0x40),
        (" 64 ", 64),
        ("linux_banner+0x20", 0x1020),
        ("linux_banner - 2*8 + 1", 0x0FF1),
        ("2*(linux_banner+8)", 0x2010),
        ("pool:slot1", 0x4F00_0800),
        ("-8 + 0x10", 8),
        ("0xffffffffffffffff", (1 << 64) - 1),
    ],
)
def test_an_expression_is_its_value(resolver: Resolver, text: str, address: int) -> None:
    assert resolver.address(text) == address


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is no address"),
        ("linux_baner", "did you mean 'linux_banner'"),
        ("zzzz", "unknown symbol or address 'zzzz'$"),
        ("0x", "invalid number"),
        ("12ab", "invalid number"),
        ("(1", "is no address"),
        ("1)", "at '\\)'"),
        ("1 2", "at '2'"),
        ("1+", "is no address"),
        ("-1", "expected an address below 2\\^64"),
        ("0x10000000000000000", "expected an address below 2\\^64"),
        ("*linux_banner", "no vmlinux"),
        ("(" * 10_000, "expected up to 200"),
    ],
)
def test_what_is_no_address_is_refused(resolver: Resolver, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        resolver.address(text)


@given(st.text(alphabet="()+-* 0x9af:_$.linux\\'\"\n", max_size=40))
def test_no_text_is_more_than_an_error(text: str) -> None:
    resolver = Resolver(_no_types, [Fixed()])
    with contextlib.suppress(HarnessError):
        assert 0 <= resolver.address(text) < 1 << 64
