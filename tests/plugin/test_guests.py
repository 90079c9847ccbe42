# SPDX-License-Identifier: Apache-2.0
"""The guests of a test: a machine that cannot be parked is tried once."""

from dataclasses import dataclass

import pytest

from harness.base.errors import GuestHang, QemuError
from harness.plugin import guests


@dataclass(frozen=True)
class Silent:
    """A machine, as far as parking looks at it."""

    name: str


def test_a_machine_that_does_not_boot_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def park(machine: Silent) -> None:
        tried.append(machine)
        raise GuestHang("waited 120 s")

    monkeypatch.setattr(guests, "park", park)
    for _ in range(3):
        with pytest.raises(GuestHang, match="waited 120 s"):
            guests.Guests().restored(Silent("mute"))  # type: ignore[arg-type] # never started

    assert tried == [Silent("mute")]


class Unfenced:
    """A guest whose fence is down from the start."""

    closed = False

    def fence_damage(self) -> list[str]:
        """What is not as it was put up."""
        return ["register 0x9050020 holds 0x0, not 0xd"]

    def close(self) -> None:
        """Note that it was thrown away."""
        self.closed = True


def test_a_guest_whose_fence_is_down_at_the_start_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    guest = Unfenced()
    monkeypatch.setattr(guests, "boot", lambda _: guest)
    running = guests.Guests()

    with pytest.raises(QemuError, match="not intact before the test begins: register 0x9050020"):
        running.booted(Silent("fenced"))  # type: ignore[arg-type] # never started

    assert guest.closed
    assert running.live == []
