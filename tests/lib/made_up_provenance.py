# SPDX-License-Identifier: Apache-2.0
"""Where made-up runs come from."""

from dataclasses import replace
from typing import Any

from harness.results import Provenance

PLAIN = Provenance(
    kernel_key="0123456789abcdef01234567",
    release="6.12.117",
    build_id="7f9daded1cebe1eb3ed2e86dd073449d9b56f787",
    source="debian linux-source-6.12 6.12.117-1",
    series=(),
    config="9c1f2ab34d56",
    compiler="aarch64-linux-gnu-gcc 12.2.0",
    flavour="",
    qemu="QEMU emulator version 7.2.22",
    harness="v1-3-gabc",
    host="host",
)


def provenance(**changed: Any) -> Provenance:
    """A kernel without patches, with some fields *changed*."""
    return replace(PLAIN, **changed)
