# SPDX-License-Identifier: Apache-2.0
"""The probe's protocol as ``guest/probe/protocol.h`` declares it: operations, records, numbers.

The header is the one declaration; nothing of it is written here again.
"""

import functools
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from harness.base.errors import InputError
from harness.base.paths import CHECKOUT

HEADER = CHECKOUT / "guest" / "probe" / "protocol.h"

FORMATS = {"u8": "B", "__le16": "H", "__le32": "I", "__le64": "Q"}
"""How the struct module writes the types of fields."""

_OPERATION = re.compile(r"\bOP\((\w+), \w+, struct (\w+), \w+\)")
_FIELD = re.compile(r"(?:struct )?(\w+) ([\w, ]+);")
"""Without arrays: what follows a record is not part of its size."""


@dataclass(frozen=True)
class ProbeOperation:
    """An operation of the probe: its *number*, and the record that its payload begins with."""

    name: str
    number: int
    payload: struct.Struct


@functools.cache
def operations() -> Mapping[str, ProbeOperation]:
    """Every operation by its name, in the order of the numbers."""
    rows = _OPERATION.findall(_header())
    found = {
        name: ProbeOperation(name, number, record(payload))
        for number, (name, payload) in enumerate(rows, start=1)
    }
    return MappingProxyType(found)


@functools.cache
def record(name: str) -> struct.Struct:
    """The layout of ``struct NAME``."""
    return struct.Struct("<" + _format(name))


@functools.cache
def codes(name: str, prefix: str) -> Mapping[str, int]:
    """The numbers of ``enum NAME``, from 1, by name without *prefix*."""
    body = _body(rf"enum {name} {{(.*?)}};")
    names = re.findall(rf"^\s+{prefix}(\w+)", body, re.MULTILINE)
    return MappingProxyType({name: number for number, name in enumerate(names, start=1)})


def constant(name: str) -> int:
    """The number that ``#define NAME`` stands for: one, or a product."""
    text = _body(rf"^#define {name}\s+(.+)$").strip().strip("()")
    return math.prod(int(factor, 0) for factor in text.split("*"))


def _format(name: str) -> str:
    fields = _FIELD.findall(_body(rf"struct {name} {{(.*?)}} __packed;"))
    return "".join(
        (FORMATS.get(kind) or _format(kind)) * len(names.split(",")) for kind, names in fields
    )


def _body(pattern: str) -> str:
    found = re.search(pattern, _header(), re.DOTALL if "{" in pattern else re.MULTILINE)
    if found is None:
        raise InputError(f"{HEADER} has nothing like '{pattern}'")
    return found[1]


@functools.cache
def _header() -> str:
    """The header's text without comments."""
    return re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)
