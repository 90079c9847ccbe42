# SPDX-License-Identifier: Apache-2.0
"""A paused guest, to read structures that its kernel changes all the time."""

from collections.abc import Iterator
from contextlib import contextmanager

from harness.machine.qemu.guest import Guest


@contextmanager
def paused(guest: Guest) -> Iterator[None]:
    """Pause the virtual CPUs of *guest*, so that several reads of its memory agree."""
    guest.pause()
    try:
        yield
    finally:
        guest.resume()
