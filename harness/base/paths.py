# SPDX-License-Identifier: Apache-2.0
"""Paths of the checkout and of the caches."""

import os
from pathlib import Path

import platformdirs

from harness.base.errors import HostError

APPLICATION = "restricted-dma-harness"

CHECKOUT = Path(__file__).resolve().parents[2]
"""The checkout that this package runs from; it also holds guest/, dts/ and kernel-config/."""

SUITE = "harness/suite/"
"""The folder of the VM tests in the checkout; the node id of each begins with it."""


def cache_directory() -> Path:
    """The root of every cache; ``HARNESS_CACHE`` overrides the user's cache directory.

    Raises HostError if the directory cannot be created or written, or a kernel cannot be built in
    it.
    """
    override = os.environ.get("HARNESS_CACHE")
    path = Path(override) if override else Path(platformdirs.user_cache_dir(APPLICATION))
    if any(character.isspace() or character == ":" for character in str(path.absolute())):
        why = "the kernel's makefiles refuse a path with a blank or a colon"  # Linux, Makefile
        raise HostError(_unusable(path, why))
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError as fault:
        raise HostError(_unusable(path, "it is a file")) from fault
    except OSError as fault:
        raise HostError(_unusable(path, str(fault.strerror).lower())) from fault
    if not os.access(path, os.W_OK):
        read_only = os.statvfs(path).f_flag & os.ST_RDONLY
        why = "read-only file system" if read_only else "permission denied"
        raise HostError(_unusable(path, why))
    return path


def _unusable(path: Path, why: str) -> str:
    return (
        f"cannot use {path} as the cache directory: {why}. Name another one with HARNESS_CACHE=PATH"
    )
