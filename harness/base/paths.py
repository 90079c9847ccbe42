# SPDX-License-Identifier: Apache-2.0
"""Where things lie: the checkout, the caches."""

import os
from pathlib import Path

import platformdirs

from harness.base.errors import HostError

APPLICATION = "restricted-dma-harness"

CHECKOUT = Path(__file__).resolve().parents[2]
"""The checkout that this package runs from; guest sources, overlays and fragments lie beside it."""


def cache_directory() -> Path:
    """The root of every cache; ``HARNESS_CACHE`` overrides the user's cache directory.

    Raises HostError when there is no such directory and none can be made, or it is read-only.
    """
    override = os.environ.get("HARNESS_CACHE")
    path = Path(override) if override else Path(platformdirs.user_cache_dir(APPLICATION))
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise HostError(_unusable(path, str(fault))) from fault
    if not os.access(path, os.W_OK):
        raise HostError(_unusable(path, "it may not be written"))
    return path


def _unusable(path: Path, why: str) -> str:
    return (
        f"{path} cannot hold the caches: {why}. Name a directory that can be written with "
        "HARNESS_CACHE=PATH"
    )
