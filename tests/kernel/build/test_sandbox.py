# SPDX-License-Identifier: Apache-2.0
"""A series' makefiles get no file, no home directory and no socket of this machine."""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from kernel_trees import tiny_tree

from harness.base.cache.evict import ccache_environment
from harness.base.errors import BuildError
from harness.kernel.build import sandbox
from harness.kernel.build.make import Make

STEAL = """
steal:
\tcat {secret} >$(O)/stolen || true
\techo written >{home}/written || true
\techo written >{tree}/written || true
\tbash -c 'echo hello >/dev/tcp/127.0.0.1/{port}' || true
\tgrep CapEff /proc/self/status >$(O)/rights
\techo done >$(O)/done
"""
"""What a stranger's makefile might try."""

needs_sandbox = pytest.mark.skipif(
    not sandbox.is_allowed(), reason="this machine allows no namespaces"
)


@dataclass(frozen=True)
class Machine:
    """What the makefile tries to reach, and the build that runs it."""

    make: Make
    home: Path
    listener: socket.socket

    @property
    def was_called(self) -> bool:
        """Whether somebody connected."""
        try:
            self.listener.accept()[0].close()
        except BlockingIOError:
            return False
        return True

    def has(self, name: str) -> bool:
        """Whether the makefile got something into the file *name* of the build directory."""
        file = self.make.output / name
        return file.is_file() and file.stat().st_size > 0


@pytest.fixture
def attacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Machine]:
    secret, home = tmp_path / "secret", tmp_path / "home"
    secret.write_text("a key\n")
    home.mkdir()
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(home))
    tree, output = tiny_tree(tmp_path / "cache/tree"), tmp_path / "cache/output"
    output.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        with (tree / "Makefile").open("a") as makefile:
            makefile.write(STEAL.format(secret=secret, home=home, port=port, tree=tree))
        lock = os.open(output, os.O_RDONLY)
        yield Machine(Make(tree, output, lock), home, listener)
        os.close(lock)


@needs_sandbox
def test_a_makefile_gets_nothing_outside_its_build(attacked: Machine) -> None:
    attacked.make.run("steal")

    assert attacked.has("done")
    assert not attacked.has("stolen")
    assert not attacked.was_called
    assert list(attacked.home.iterdir()) == []
    assert not (attacked.make.source / "written").exists()
    assert (attacked.make.output / "rights").read_text().split() == ["CapEff:", "0" * 16]


def test_without_the_sandbox_it_gets_all_of_it(
    attacked: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sandbox, "is_allowed", lambda: False)

    attacked.make.run("steal")

    assert attacked.has("stolen")
    assert attacked.was_called
    assert (attacked.home / "written").exists()


@needs_sandbox
def test_a_build_works_in_the_sandbox_and_its_failure_is_told(attacked: Machine) -> None:
    wanted = attacked.make.output / "wanted"
    wanted.write_text("CONFIG_PCI=y\n")
    attacked.make.run(f"KCONFIG_ALLCONFIG={wanted}", "allnoconfig")
    attacked.make.run("Image")

    assert (attacked.make.output / "vmlinux").stat().st_size > 0
    with pytest.raises(BuildError, match="No rule to make target"):
        attacked.make.run("absent")


@needs_sandbox
def test_a_cache_on_another_disk_is_followed(
    attacked: Machine,
) -> None:
    elsewhere = attacked.home.parent / "disk"
    elsewhere.mkdir()
    cache = Path(ccache_environment()["CCACHE_DIR"])
    cache.parent.mkdir(parents=True, exist_ok=True)
    cache.symlink_to(elsewhere)
    with (attacked.make.source / "Makefile").open("a") as makefile:
        makefile.write("fill:\n\techo object >$(CCACHE_DIR)/object\n")

    attacked.make.run("fill")

    assert (elsewhere / "object").read_text() == "object\n"


def test_a_machine_that_allows_no_namespaces_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    program = tmp_path / "unshare"
    program.write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(sandbox, "say", said.append)
    sandbox.is_allowed.cache_clear()

    commands = [sandbox.confined(["make"], (), ()) for _ in range(2)]

    sandbox.is_allowed.cache_clear()
    assert commands == [["make"]] * 2
    assert len(said) == 1
    assert "allows no namespaces" in said[0]
    assert "Operation not permitted" in said[0]


def test_a_compiler_of_the_users_is_seen_and_the_home_directory_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    for name in ("home/bin/gcc-a", "home/cross/bin/gcc-b"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch(mode=0o755)
    monkeypatch.setenv("HOME", str(home))

    found = sandbox.toolchain([str(home / "bin/gcc-a"), str(home / "cross/bin/gcc-b"), "make"])

    assert {home / "bin", home / "cross"} <= set(found)
    assert not [place for place in found if home.is_relative_to(place)]
