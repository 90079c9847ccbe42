# SPDX-License-Identifier: Apache-2.0
"""Resolve what a person types where an address is expected: names, numbers and sums of them.

::

    sum      product { ("+" | "-") product }
    product  factor { "*" factor }
    factor   number | name | "(" sum ")" | "*" factor | "-" factor

``*factor`` is the 64-bit word at that address, as in gdb. A name is what a :class:`Namer` knows: a
symbol, ``pool:slot14``, a register, ...
"""

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

from harness.base.errors import AddressError, InputError
from harness.kernel import SLOT
from harness.observe.memory.kernel import KernelTypes, kernel_reading
from harness.observe.memory.pools import PoolState, default_pool, restricted_pools

KERNEL_VIRTUAL = 1 << 63
"""Addresses from here on are the kernel's own (arch/arm64/include/asm/memory.h)."""

WORD = 8
"""Bytes that ``*ADDRESS`` reads."""

BITS64 = (1 << 64) - 1

LONGEST = 200
"""Characters of an expression; each may open a parenthesis."""

SUGGESTED = 3
"""Most names that an error suggests."""

_NAME = re.compile(r"[A-Za-z_$.][\w$.]*(?::[\w.]+)?")
_NUMBER = re.compile(r"\d\w*")
_POOL = re.compile(r"pool(\d*)(?::slot(\d+))?")


class Namer(Protocol):
    """A kind of names for addresses."""

    def find(self, name: str) -> int | None:
        """The address that *name* stands for; None for a name of another kind.

        Raises InputError for a name of this kind that stands for nothing.
        """

    def names(self) -> Iterable[str]:
        """The names, or the most useful of them, to complete and to suggest."""


def nearest_names(name: str, names: Iterable[str]) -> list[str]:
    """Up to SUGGESTED of *names* that a person may have meant by *name*."""
    lower = name.lower()
    similar = [one for one in names if abs(len(one) - len(name)) <= SUGGESTED and one]
    return difflib.get_close_matches(lower, similar, SUGGESTED, 0.6)


def unknown(kind: str, name: str, names: Iterable[str]) -> InputError:
    """The error for *name*, which is none of *names*; it suggests those that are similar."""
    near = nearest_names(name, names)
    hint = f": did you mean {' or '.join(map(repr, near))}?" if near else ""
    return InputError(f"unknown {kind} {name!r}{hint}")


ReadTypes = Callable[[], KernelTypes]
"""What opens the kernel's types; a number needs none."""


class Resolver:
    """Resolves addresses in the kernel of *types*, by the names of *namers* in this order."""

    def __init__(self, types: ReadTypes, namers: Sequence[Namer]) -> None:
        self._types, self._namers = types, tuple(namers)

    def address(self, text: str) -> int:
        """The address that *text* stands for, guest-physical or kernel virtual, below 2^64.

        Raises InputError when it is no expression, with the names that may have been meant.
        """
        return _Expression(text, self._find, self._word).value()

    def phys(self, text: str) -> int:
        """The guest-physical address that *text* stands for; raises as :meth:`address`."""
        return self.to_phys(self.address(text))

    def to_phys(self, address: int) -> int:
        """*address* itself if it is guest-physical, or where the kernel's page tables lead it.

        Raises AddressError when they do not map it.
        """
        if address < KERNEL_VIRTUAL:
            return address
        types = self._types()
        image = types.image
        phys = image.virt_to_phys(address)
        if phys in image:
            return phys
        with kernel_reading(f"the page of {address:#x}"):
            return types.phys(address)

    def names(self) -> Iterable[str]:
        """All names of all namers."""
        return (name for namer in self._namers for name in namer.names())

    def _find(self, name: str) -> int:
        for namer in self._namers:
            found = namer.find(name)
            if found is not None:
                return found
        raise unknown("symbol or address", name, self.names())

    def _word(self, address: int) -> int:
        return int.from_bytes(self._types().memory.read(self.to_phys(address), WORD), "little")


class SymbolNames:
    """Symbols of the kernel, at their virtual addresses."""

    def __init__(self, types: ReadTypes) -> None:
        self._types = types

    def find(self, name: str) -> int | None:
        """The virtual address of the symbol."""
        types = self._types()
        symbol = types.symbols.find(name)
        return None if symbol is None else symbol.address + types.image.slide

    def names(self) -> Iterable[str]:
        """Every symbol."""
        return self._types().symbols.names()


class PoolNames:
    """``pool``, ``pool1``, ... in the order of :func:`pools_in_order`, each with ``:slotN``."""

    def __init__(self, types: ReadTypes) -> None:
        self._types = types

    def find(self, name: str) -> int | None:
        """The guest-physical address of the pool, or of the slot."""
        found = _POOL.fullmatch(name)
        if found is None:
            return None
        pool = pool_named(self._types(), f"pool{found[1]}")
        number = int(found[2] or 0)
        if number >= pool.nslabs:
            raise InputError(
                f"no slot {number} in {pool.name}: it has slots 0 to {pool.nslabs - 1}"
            )
        return pool.base + number * SLOT

    def names(self) -> Iterable[str]:
        """The pools, and slot 0 of each."""
        try:
            names = pool_names(self._types())
        except (AddressError, InputError):
            return []
        return [full for name in names for full in (name, f"{name}:slot0")]


def pools_in_order(types: KernelTypes) -> tuple[PoolState, ...]:
    """The restricted pools by rising address, then the default pool if there is one."""
    default = default_pool(types)
    restricted = sorted(restricted_pools(types), key=lambda pool: pool.base)
    return (*restricted, *([default] if default else []))


def pool_names(types: KernelTypes) -> list[str]:
    """The short names of :func:`pools_in_order`: ``pool``, ``pool1``, ``pool2``, ..."""
    return [f"pool{number or ''}" for number in range(len(pools_in_order(types)))]


def pool_named(types: KernelTypes, name: str) -> PoolState:
    """The pool with the short name or the name *name*; raises InputError if there is none."""
    pools = pools_in_order(types)
    found = _POOL.fullmatch(name)
    if found is not None and found[2] is None and int(found[1] or 0) < len(pools):
        return pools[int(found[1] or 0)]
    for pool in pools:
        if pool.name == name:
            return pool
    names = [*pool_names(types), *(pool.name for pool in pools)]
    if not names:
        raise InputError(f"no pool {name!r}: the kernel has set up no pool")
    raise InputError(f"unknown pool {name!r}: expected one of {', '.join(names)}")


class _Expression:
    """One expression; *find* gives the address of a name, *word* the 64 bits at an address."""

    def __init__(self, text: str, find: Callable[[str], int], word: Callable[[int], int]) -> None:
        self._text, self._find, self._word = text, find, word
        self._rest = text

    def value(self) -> int:
        """Its value; raises InputError for what is no expression."""
        if len(self._text) > LONGEST:
            raise InputError(
                f"an address of {len(self._text)} characters: expected up to {LONGEST}"
            )
        result = self._sum()
        if self._rest:
            raise self._wrong()
        if not 0 <= result <= BITS64:
            raise InputError(f"{self._text} is {result:#x}: expected an address below 2^64")
        return result

    def _sum(self) -> int:
        result = self._product()
        while sign := self._take("+", "-"):
            other = self._product()
            result = result + other if sign == "+" else result - other
        return result

    def _product(self) -> int:
        result = self._factor()
        while self._take("*"):
            result *= self._factor()
        return result

    def _factor(self) -> int:
        if self._take("("):
            inner = self._sum()
            if not self._take(")"):
                raise self._wrong()
            return inner
        if self._take("*"):
            return self._word(self._factor())
        if self._take("-"):
            return -self._factor()
        self._rest = self._rest.lstrip()
        found = _NUMBER.match(self._rest) or _NAME.match(self._rest)
        if found is None:
            raise self._wrong()
        self._rest = self._rest[found.end() :].lstrip()
        return self._find(found[0]) if not found[0][0].isdigit() else self._number(found[0])

    def _number(self, text: str) -> int:
        try:
            return int(text, 0)
        except ValueError:
            raise InputError(
                f"invalid number {text!r}: expected a number such as 64 or 0x40"
            ) from None

    def _take(self, *signs: str) -> str:
        """The sign that comes next, taken; empty if none of *signs* does."""
        self._rest = self._rest.lstrip()
        if self._rest[:1] in signs and self._rest:
            sign, self._rest = self._rest[0], self._rest[1:]
            return sign
        return ""

    def _wrong(self) -> InputError:
        where = f" at {self._rest!r}" if self._rest else ""
        return InputError(
            f"{self._text!r} is no address{where}: expected a number, a symbol, pool:slotN or a "
            "sum of them, such as swiotlb_bounce+0x20"
        )
