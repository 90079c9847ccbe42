# SPDX-License-Identifier: Apache-2.0
"""Types in the debugging information of a file of a kernel that does not run."""

from pathlib import Path

import drgn


def types_in(path: Path) -> drgn.Program:
    """A program to look types of *path* up in, which is vmlinux or a module, with DWARF."""
    program = drgn.Program(drgn.Platform(drgn.Architecture.AARCH64))
    program.extra_module(path.name, create=True).try_file(path, force=True)
    return program
