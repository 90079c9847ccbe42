# SPDX-License-Identifier: Apache-2.0
"""The probe's files are layers, in the order of its Kbuild: calls go down only."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from harness.base.paths import CHECKOUT
from harness.devices.probe.protocol import operations

PROBE = CHECKOUT / "guest" / "probe"

_DEFINITION = re.compile(r"^(?!static\b)[a-z][\w ]*[ *](\w+)\([^;]*?\)\n\{", re.MULTILINE)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_TEXT = re.compile(r'"(\\.|[^"\\])*"')


def layers() -> list[str]:
    """The files of the module, the lowest first."""
    lines = re.findall(r"^probe-y \+?:?= (.*)$", (PROBE / "Kbuild").read_text(), re.MULTILINE)
    return [name.replace(".o", ".c") for line in lines for name in line.split()]


def code(file: Path) -> str:
    """A file's text without comments and strings."""
    return _TEXT.sub('""', _COMMENT.sub("", file.read_text()))


def definitions() -> Mapping[str, str]:
    """The file that each function with external linkage is defined in."""
    return {
        function: name for name in layers() for function in _DEFINITION.findall(code(PROBE / name))
    }


def test_every_file_is_in_a_layer() -> None:
    assert sorted(layers()) == sorted(file.name for file in PROBE.glob("*.c"))


def test_every_operation_has_one_handler() -> None:
    handlers = [name for name in definitions() if name.startswith("call_")]
    wanted = {f"call_{name.lower()}" for name in operations()}

    assert set(handlers) - {"call_answer", "call_answered", "call_rewind"} == wanted


@pytest.mark.parametrize("name", layers()[:-1])
def test_a_file_uses_lower_layers_only(name: str) -> None:
    defined, order = definitions(), layers()
    words = set(re.findall(r"\b\w+\b", code(PROBE / name)))

    used = {function: defined[function] for function in words & defined.keys()}
    above = {f: of for f, of in used.items() if order.index(of) > order.index(name)}

    # the dispatch table names its handlers by a macro, and is above them all
    assert above == {}
