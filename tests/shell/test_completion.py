# SPDX-License-Identifier: Apache-2.0
"""Tab offers what may be typed there."""

from pathlib import Path

import pytest

from harness.shell.command import Argument, Command
from harness.shell.completion import candidates
from harness.shell.target import Target


def _command(name: str, *arguments: Argument | tuple[str, ...]) -> Command:
    return Command(name, "Does it.", ("",), lambda *_: None, arguments=arguments)


@pytest.fixture
def target() -> Target:
    return Target(None, None, Path("/no/vmlinux"))


COMMANDS = {
    one.name: one
    for one in (
        _command("rogue", ("read", "write"), Argument.ADDRESS),
        _command("run"),
        _command("save", Argument.FILE),
        _command("help", Argument.COMMAND),
    )
}


@pytest.mark.parametrize(
    ("before", "word", "offered"),
    [
        ("", "r", ["rogue ", "run "]),
        ("rogue ", "", ["read", "write"]),
        ("rogue ", "w", ["write"]),
        ("help ", "sa", ["save"]),
        ("run ", "", []),
        ("unknown ", "", []),
        ("rogue read ", "lin", []),  # the kernel cannot be read: nothing is said
    ],
)
def test_what_may_follow_is_offered(
    target: Target, before: str, word: str, offered: list[str]
) -> None:
    assert candidates(before, word, COMMANDS, target) == offered


def test_files_are_offered_with_their_folder(target: Target, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "keys").touch()

    offered = candidates("save ", f"{tmp_path}/ke", COMMANDS, target)

    assert offered == [f"{tmp_path}/kept/", f"{tmp_path}/keys"]
