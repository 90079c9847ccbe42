# SPDX-License-Identifier: Apache-2.0
"""Where things lie: the checkout, the caches."""

import os
from pathlib import Path

import platformdirs

APPLICATION = "restricted-dma-harness"

CHECKOUT = Path(__file__).resolve().parent.parent
"""The checkout that this package runs from; guest sources, overlays and fragments lie beside it."""


def cache_directory() -> Path:
    """The root of every cache; ``HARNESS_CACHE`` overrides the user's cache directory."""
    override = os.environ.get("HARNESS_CACHE")
    path = Path(override) if override else Path(platformdirs.user_cache_dir(APPLICATION))
    path.mkdir(parents=True, exist_ok=True)
    return path
