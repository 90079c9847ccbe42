# SPDX-License-Identifier: Apache-2.0
"""``harness shell --tui`` by Textual's pilot, on 80 columns and 24 rows."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.machine.machine import Machine
from harness.machine.qemu.snapshot import park, restore
from harness.shell import live_target

textual = pytest.importorskip("textual", reason="the extra 'tui' is not installed")

from textual.pilot import Pilot  # noqa: E402 - after the skip
from textual.widgets import Input, RichLog, Static  # noqa: E402 - after the skip

from harness.shell.tui import ShellScreen  # noqa: E402 - after the skip

pytestmark = pytest.mark.any_kernel("a person debugs any guest")

PATIENCE = 30.0
"""Seconds for an answer on a busy host."""


def _text(screen: ShellScreen, name: str) -> str:
    log = screen.query_one(f"#{name}", RichLog)
    return "\n".join(line.text for line in log.lines)


def _pool(screen: ShellScreen) -> str:
    return _shown(screen, "pool")


async def _until(pilot: Pilot[None], seen: Callable[[], bool]) -> None:
    """Let the screen live until *seen*."""
    async with asyncio.timeout(PATIENCE):
        while not seen():
            await pilot.pause(0.05)


async def _type(pilot: Pilot[None], line: str) -> None:
    pilot.app.query_one("#prompt", Input).value = line
    await pilot.press("enter")


async def _look_at_views(screen: ShellScreen, pilot: Pilot[None]) -> None:
    """Type into console, memory and QMP, and read the answers there."""
    await pilot.press("f2")
    await _until(pilot, lambda: "# " in _shown(screen, "console"))
    await _type(pilot, "echo typed $((6 * 7))")
    await _until(pilot, lambda: "typed 42" in _shown(screen, "console"))
    await _type(pilot, "cat")
    await _type(pilot, "^C")
    await _type(pilot, "echo again $((7 * 7))")
    await _until(pilot, lambda: "again 49" in _shown(screen, "console"))
    await pilot.press("f3")
    await _type(pilot, "pool:slot4000 16")
    await _until(pilot, lambda: "00004f7d0000  c0 ff ee" in _shown(screen, "memory"))
    await pilot.press("f1")
    await _type(pilot, "rogue write pool:slot4000 decade")
    await pilot.press("f3")
    await _until(pilot, lambda: "*00004f7d0000  de ca de" in _shown(screen, "memory"))
    await _type(pilot, "pol")
    await _until(pilot, lambda: "did you mean 'pool'" in _shown(screen, "memory"))
    await pilot.press("f4")
    await _type(pilot, "query-status")
    await _until(pilot, lambda: '"running": true' in _text(screen, "qmp"))
    await _type(pilot, "stop")
    await _until(pilot, lambda: "event STOP" in _text(screen, "qmp"))
    await _type(pilot, "cont")


def _shown(screen: ShellScreen, name: str) -> str:
    return str(screen.query_one(f"#{name}", Static).content)


@pytest.mark.parametrize("colour", ["", "1"], ids=["colour", "no colour"])
def test_the_screen_shows_log_pool_and_answers(
    machine: Machine, mapper: Path, monkeypatch: pytest.MonkeyPatch, colour: str
) -> None:
    """A mapping appears in the map, a rogue's access flashes, commands answer, quit ends it."""
    monkeypatch.setenv("NO_COLOR", colour)

    async def use(screen: ShellScreen) -> str:
        async with screen.run_test(size=(80, 24)) as pilot:
            await _until(pilot, lambda: "Booting Linux" in _text(screen, "log"))
            await _until(pilot, lambda: "0 of 8192 slots used" in _pool(screen))
            await _type(pilot, f"script {mapper.parent}/commands")
            await _until(pilot, lambda: "3 of 8192 slots used" in _pool(screen))
            assert re.search("^[Tt]", _pool(screen).splitlines()[1])
            await _type(pilot, "rogue write pool:slot4000 c0ffee")
            await _until(pilot, lambda: "X" in "".join(_pool(screen).splitlines()[1:]))
            await _type(pilot, "where pool:slot1")
            await _until(pilot, lambda: "slot 1 of pool" in _text(screen, "answers"))
            await _type(pilot, "slots | wc -l")
            await _until(pilot, lambda: _text(screen, "answers").endswith("2"))
            await _type(pilot, "nonsense")
            await _until(pilot, lambda: "unknown command" in _text(screen, "answers"))
            picture = screen.export_screenshot()
            await _look_at_views(screen, pilot)
            await pilot.press("f1")
            await _type(pilot, "quit")
            await _until(pilot, lambda: not screen.is_running)
        return picture

    (mapper.parent / "commands").write_text(f"python {mapper}\n")
    with restore(park(machine)) as guest:
        target = live_target(guest)
        picture = asyncio.run(use(ShellScreen(target)))
        target.close()
    assert "restricted-dma@4f000000" in picture.replace("&#160;", " ")
