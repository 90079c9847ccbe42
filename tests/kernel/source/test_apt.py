# SPDX-License-Identifier: Apache-2.0
"""Packages come through the machine's apt, on private lists, and from the cache when they can."""

import os
import re
import subprocess
import time
from pathlib import Path

import pytest

from harness.base.errors import SourceError
from harness.kernel.source import apt

STANZA = """\
Package: busybox-static
Version: 1:1.35.0-4
SHA256: 0123456789abcdef
Description: a shell
"""

APT_CACHE = """\
#!/bin/sh
cat {lists} 2>/dev/null | grep -q . || exit 100
cat {lists}
"""

APT_GET = """\
#!/bin/bash
echo "$*" >> {calls}
case "$*" in
*update) {update} ;;
*download*) {download} ;;
esac
"""


class FakeApt:
    """Programs named like apt's, whose behaviour a test chooses."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lists, self.calls = directory / "lists", directory / "calls"
        self.calls.touch()
        self.behave()

    def behave(self, update: str = "true", download: str = "touch it.deb") -> None:
        """Make the programs run these shell commands."""
        names = {"lists": self.lists, "calls": self.calls}
        self._write("apt-cache", APT_CACHE.format(**names))
        self._write("apt-get", APT_GET.format(**names, update=update, download=download))

    def updates(self) -> int:
        """How often the lists were refreshed."""
        return self.calls.read_text().count(" update")

    def _write(self, name: str, text: str) -> None:
        (self.directory / name).write_text(text)
        (self.directory / name).chmod(0o755)


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeApt:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    made = FakeApt(tmp_path / "bin")
    made.behave(update=f"printf '{STANZA}' > {made.lists}")
    return made


def make_old(tmp_path: Path) -> None:
    long_ago = time.time() - apt.FRESH - 60
    os.utime(tmp_path / "cache/apt/refreshed", (long_ago, long_ago))


@pytest.mark.usefixtures("fake")
def test_package_is_found_with_its_version() -> None:
    found = apt.find_package("busybox-static")
    assert (found.version, found.sha256) == ("1:1.35.0-4", "0123456789abcdef")


def test_fresh_lists_need_no_network(fake: FakeApt) -> None:
    apt.find_package("busybox-static")
    apt.find_package("busybox-static")
    assert fake.updates() == 1


def test_lists_older_than_a_day_are_refreshed(fake: FakeApt, tmp_path: Path) -> None:
    apt.find_package("busybox-static")
    make_old(tmp_path)
    apt.find_package("busybox-static")
    assert fake.updates() == 2


def test_failed_refresh_gives_one_line_and_old_lists(
    fake: FakeApt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    apt.find_package("busybox-static")
    make_old(tmp_path)
    monkeypatch.setattr(apt, "say", said.append)
    fake.behave(update="echo 'E: no network' >&2; exit 100")
    apt.find_package("busybox-static")
    assert said == [
        "package lists: not all could be refreshed (E: no network); continuing with old ones"
    ]


def test_refresh_that_fails_for_other_sources_does_not_matter(fake: FakeApt) -> None:
    fake.behave(update=f"printf '{STANZA}' > {fake.lists}; echo 'E: other' >&2; exit 100")
    assert apt.find_package("busybox-static").name == "busybox-static"


def test_unknown_package_is_explained(fake: FakeApt) -> None:
    fake.behave(update="echo 'E: no network' >&2; exit 100")
    with pytest.raises(SourceError, match=r"linux-source-9\.9.*lists failed: E: no network.*git:"):
        apt.find_package("linux-source-9.9")


def test_package_is_downloaded_once(fake: FakeApt) -> None:
    package = apt.find_package("busybox-static")
    paths = {package.fetch(), package.fetch()}
    assert (len(paths), fake.calls.read_text().count("download busybox-static=1:1.35.0-4")) == (
        1,
        1,
    )


def test_lists_do_not_change_during_a_download(fake: FakeApt, tmp_path: Path) -> None:
    package = apt.find_package("busybox-static")
    lock = tmp_path / "cache/apt/lock"
    fake.behave(download=f"flock -n {lock} true && exit 100; touch it.deb")

    assert package.fetch().name == "it.deb"


def test_failed_download_is_explained(fake: FakeApt) -> None:
    package = apt.find_package("busybox-static")
    fake.behave(download="echo 'E: Hash Sum mismatch' >&2; exit 100")
    with pytest.raises(SourceError, match=r"downloading busybox-static 1:1.* failed: E: Hash"):
        package.fetch()


def test_percentages_of_a_download_are_shown(
    fake: FakeApt, capfd: pytest.CaptureFixture[str]
) -> None:
    package = apt.find_package("busybox-static")
    find_status = "[[ $* =~ Status-Fd=([0-9]+) ]]"
    fake.behave(
        download=f"{find_status}; echo dlstatus:1:42.5:x >&${{BASH_REMATCH[1]}}; touch it.deb"
    )
    package.fetch()
    assert "1:1.35.0-4: 42 %" in capfd.readouterr().err


def test_machines_own_apt_state_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path))
    (tmp_path / "hooks").write_text('APT::Update::Post-Invoke { "rm -f /var/cache/apt/*"; };\n')
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "hooks"))
    argv = ["apt-config", "-c", apt.machine_lists().settings(), "dump"]
    dump = subprocess.run(argv, check=True, capture_output=True, text=True).stdout
    wanted = (f'Dir::State "{tmp_path}/apt";', f'Dir::Cache "{tmp_path}/apt";')
    hooks = re.findall(r'^APT::Update::P\S+ "(.+)";', dump, re.MULTILINE)
    assert ([line in dump for line in wanted], hooks) == ([True, True], [])
