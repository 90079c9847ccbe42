# SPDX-License-Identifier: Apache-2.0
"""Disassemble the kernel: what ``vmlinux`` has, and what RAM has where that differs."""

import re
import tempfile
from pathlib import Path

from harness.base.architecture import CROSS
from harness.base.tools import run_tool
from harness.shell.answer import Answer
from harness.shell.target import Target

INSTRUCTION = 4
"""Bytes (Arm ARM, C2.1: A64)."""

_LINE = re.compile(r"^ *([0-9a-f]+):\t([0-9a-f]{8}) *\t(.*)$")
_TARGET = re.compile(r"\b([0-9a-f]{8,16})\b(?: <[^>]*>)?")


def disassemble(target: Target, address: int, count: int) -> Answer:
    """*count* instructions of RAM from *address* on, with the symbols of their addresses.

    RAM and not vmlinux: the kernel patches itself (alternatives, static keys, ftrace).
    """
    phys = target.resolver.to_phys(address)
    data = target.memory.read(phys, count * INSTRUCTION)
    lines, rows, last = [], [], ""
    for at, raw, plain in _objdump(data, address):
        text = _with_symbols(target, plain)
        name, offset = target.symbol_at(at) or ("", 0)
        if name != last:
            lines.append(f"{name or 'no symbol'}:")
            last = name
        where = f"+{offset:#x}" if name else ""
        lines.append(f"  {at:#x} {where:8} {text}")
        rows.append({"address": at, "code": raw, "text": text})
    return Answer("\n".join(lines), rows)


def _objdump(data: bytes, address: int) -> list[tuple[int, str, str]]:
    """Address, code and text of each instruction in *data*."""
    with tempfile.TemporaryDirectory() as directory:
        code = Path(directory) / "code"
        code.write_bytes(data)
        words = ["-D", "-b", "binary", "-m", "aarch64", f"--adjust-vma={address:#x}"]
        text = run_tool([f"{CROSS}objdump", *words, code]).decode()
    found = (_LINE.match(line) for line in text.splitlines())
    return [(int(one[1], 16), one[2], one[3].replace("\t", " ")) for one in found if one]


def _with_symbols(target: Target, text: str) -> str:
    """*text* with the symbol of the address that a branch goes to."""

    def named(found: re.Match[str]) -> str:
        symbol = target.symbol_at(int(found[1], 16))
        if symbol is None:
            return found[0]
        name, offset = symbol
        return f"{int(found[1], 16):#x} <{name}{f'+{offset:#x}' if offset else ''}>"

    return _TARGET.sub(named, text)
