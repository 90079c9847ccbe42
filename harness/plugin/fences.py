# SPDX-License-Identifier: Apache-2.0
"""Check after a test that the fence is intact and refused nothing.

Behind an intact fence every driver does its DMA in the pool, so nothing is refused. A refused
access fails the test, unless the test has the marker ``tries``.
"""

from collections.abc import Generator

import pytest

from harness.base.violation import violated
from harness.machine.qemu.guest import Guest
from harness.plugin.guests import Guests, guests_key


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, None, None]:
    """Fail a test whose fence was disabled, or refused an access that no marker allows."""
    guests = item.stash.get(guests_key, Guests())
    yield
    fenced = [guest for guest in guests.live if _can_tell(guest)]
    _judge_damage(item, [text for guest in fenced for text in guest.fence_damage()])
    _judge_refusals(item, [str(one) for guest in fenced for one in guest.fence_refusals()])


def _can_tell(guest: Guest) -> bool:
    return guest.machine.fence is not None and guest.ending is None and not guest.closed


def _judge_damage(item: pytest.Item, damage: list[str]) -> None:
    if item.get_closest_marker("disables"):
        assert damage, "the fence is intact, but the test has the marker 'disables'"
    elif damage:
        raise violated(f"the fence is not intact: {'; '.join(damage)}", "FENCE")


def _judge_refusals(item: pytest.Item, refusals: list[str]) -> None:
    if item.get_closest_marker("tries"):
        assert refusals, "the fence refused nothing, but the test has the marker 'tries'"
    elif refusals:
        text = f"{len(refusals)} accesses were refused, the first: {refusals[0]}"
        raise violated(f"a device left the pool: {text}", "B1")
