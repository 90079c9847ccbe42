# SPDX-License-Identifier: Apache-2.0
"""Remove cache entries not used for some time: kernels, their guests, packages, trees."""

import fcntl
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from harness.base.cache import Cache
from harness.base.tools import run_tool
from harness.kernel.build.make import environment
from harness.kernel.source.workspace import workspaces

KINDS = ("kernels", "initramfs", "parked", "devicetrees", "packages", "verdicts", "bases")


def prune(age: float) -> Iterator[Path]:
    """Remove every entry not used for *age* seconds; yield the paths removed.

    A workspace that another run has locked stays.
    """
    limit = time.time() - age
    for kind in KINDS:
        cache = Cache(kind)
        for entry in list(cache.entries()):
            if entry.used <= limit:
                cache.remove(entry.path.name)
                yield entry.path
        yield from cache.sweep()
    for lock in sorted(workspaces().glob("*.lock")):
        directory = lock.with_suffix("")
        if directory.is_dir() and directory.stat().st_mtime <= limit and _remove(directory, lock):
            yield directory
    run_tool(("ccache", "--evict-older-than", f"{int(age)}s"), env=environment())


def _remove(directory: Path, lock: Path) -> bool:
    descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(directory)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True
