# SPDX-License-Identifier: Apache-2.0
"""The provenance of a run as names and values, for reports that list them."""

from collections.abc import Iterator

from harness.results import Provenance


def provenance_items(where: Provenance) -> Iterator[tuple[str, str]]:
    """Name and value of each field of the provenance, patches in order."""
    yield "kernel.release", where.release
    yield "kernel.build-id", where.build_id
    yield "kernel.key", where.kernel_key
    yield "kernel.source", where.source
    yield from (("series.patch", patch) for patch in where.series)
    yield "config.hash", where.config
    yield "config.flavour", where.flavour
    yield "compiler", where.compiler
    yield "qemu", where.qemu
    yield "harness", where.harness
    yield "host", where.host
