# SPDX-License-Identifier: Apache-2.0
"""A guest that stands still, for a look at structures that it changes all the time."""

from collections.abc import Iterator
from contextlib import contextmanager

from harness.machine.qemu.guest import Guest


@contextmanager
def still(guest: Guest) -> Iterator[None]:
    """Stop the virtual CPUs of *guest*: whose page a page is, several reads say together."""
    guest.pause()
    try:
        yield
    finally:
        guest.resume()
