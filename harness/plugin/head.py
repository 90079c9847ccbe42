# SPDX-License-Identifier: Apache-2.0
"""The first lines of a run: the kernel under test, and what built it."""

from collections.abc import Iterator

import pytest

from harness.kernel import Kernel
from harness.kernel.build.kconfig import read_config
from harness.plugin.session import FEATURE, kernel_key

NO_TYPES = (
    "no debugging information: the memory oracles (slots, leaks, stale bytes, page owners) are off"
)


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Describe the kernel, once it is built."""
    kernel = config.stash.get(kernel_key, None)
    return [] if kernel is None else list(head_lines(kernel))


def head_lines(kernel: Kernel) -> Iterator[str]:
    """What *kernel* is, in short lines."""
    changes = [
        *([f"flavour {kernel.flavour}"] if kernel.flavour else []),
        *kernel.fragments,
        *kernel.series,
    ]
    yield ", ".join([f"kernel: Linux {kernel.release}", kernel.source, *changes])
    yield f"compiler: {kernel.compiler}"
    if FEATURE not in read_config(kernel.config):
        yield f"CONFIG_{FEATURE} is not set: no test applies that needs a restricted pool"
    if not kernel.types:
        yield NO_TYPES
