# SPDX-License-Identifier: Apache-2.0
"""scripts/lane: what it makes, what it passes on, and that nothing half-made is trusted."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.base.cache.lease import unleased
from harness.base.paths import CHECKOUT

MIRROR = "http://mirror.example/debian"

DEBOOTSTRAP = """
echo "debootstrap $*" >>{log}
mkdir -p "$4/etc/apt/apt.conf.d" "$4/etc/apt/sources.list.d" "$4/dev" "$4/root" "$4/home/builder" \
    "$4/usr/local/share/ca-certificates"
"""

STAND_INS = {
    "id": "echo 0",
    "unshare": 'while [ "$1" != --propagation ]; do shift; done; shift 2; exec "$@"',
    "mount": 'echo "mount $*" >>{log}',
    "chroot": 'echo "chroot $*" >>{log}',
    "apt-get": f'[ "$1" = indextargets ] && echo {MIRROR} || echo "apt-get $*" >>{{log}}',
    "apt-config": """echo 'Acquire::http::Proxy "http://proxy:3142";'
        echo 'DPkg::Post-Invoke "/no/such/hook";'""",
    "python3": """echo "global.index-url='https://pypi.example/simple'"
        echo "global.find-links='/opt/wheels'"; echo "global.cert='/etc/ssl/mine.crt'" """,
    "debootstrap": DEBOOTSTRAP,
}


@dataclass(frozen=True)
class Host:
    """A checkout with the real script, and a machine on which root's programs only note calls."""

    folder: Path

    @property
    def log(self) -> list[str]:
        """What was called, in order."""
        path = self.folder / "log"
        return path.read_text().splitlines() if path.exists() else []

    @property
    def lanes(self) -> Path:
        """Where the chroots are."""
        return self.folder / "cache/lanes"

    def stand_in(self, name: str, body: str) -> None:
        """Put a program first in the PATH; *body* is shell."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/sh\n{body.replace('{log}', str(self.folder / 'log'))}\n")
        path.chmod(0o755)

    def lane(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run the script from a foreign directory."""
        return subprocess.run(
            [self.folder / "checkout/scripts/lane", *words],
            check=False,
            cwd="/",
            env={
                "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
                "HARNESS_CACHE": str(self.folder / "cache"),
                "HOME": "/nowhere",
                "https_proxy": "http://proxy:3128",
            },
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )


@pytest.fixture
def host(tmp_path: Path) -> Host:
    made = Host(tmp_path)
    scripts = tmp_path / "checkout/scripts"
    scripts.mkdir(parents=True)
    for name in ("lane", "packages.txt", "packages-tests.txt"):
        shutil.copy(CHECKOUT / "scripts" / name, scripts)
    subprocess.run(["git", "init", "-q", scripts.parent], check=True)
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    commit = ["commit", "-q", "--allow-empty", "-m", "first"]
    subprocess.run(["git", "-C", scripts.parent, *identity, *commit], check=True)
    (tmp_path / "bin").mkdir()
    for name, body in STAND_INS.items():
        made.stand_in(name, body)
    return made


def entered(host: Host) -> str:
    """The call of chroot that runs the command."""
    return next(line for line in host.log if line.startswith("chroot --userspec"))


def test_a_lane_is_made_once(host: Host) -> None:
    done = [host.lane("trixie", "--", "scripts/run") for _ in range(2)]

    assert [one.returncode for one in done] == [0, 0]
    made = [line for line in host.log if line.startswith("debootstrap")]
    assert [line.split()[3] for line in made] == ["trixie"]
    assert made[0].split()[5] == MIRROR


def test_a_lane_is_leased_while_its_command_runs(host: Host) -> None:
    host.lane("trixie", "--", "true")
    host.stand_in("chroot", 'flock -n "$2" true || echo "leased $1" >>{log}')

    host.lane("trixie", "--", "true")

    assert "leased --userspec=root" in host.log
    with unleased(host.lanes / "trixie") as free:
        assert free


def test_without_root_nothing_is_done_but_to_say_so(host: Host) -> None:
    host.stand_in("id", "echo 1000")

    done = host.lane("trixie", "--", "true")

    assert (done.returncode, host.log, done.stderr.count("\n")) == (2, [], 1)
    assert "only root can" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "usage: "),
        (("trixie",), "usage: "),
        (("trixie", "--"), "usage: "),
        (("--no-such", "trixie", "--", "true"), "usage: "),
        (("../x", "--", "true"), "'../x' is no suite of Debian"),
    ],
)
def test_a_wrong_call_is_refused(words: tuple[str, ...], said: str, host: Host) -> None:
    done = host.lane(*words)

    assert done.returncode == 2
    assert said in done.stderr
    assert not host.lanes.exists()


def test_a_machine_without_package_lists_is_told_the_command(host: Host) -> None:
    host.stand_in("apt-get", "true")

    done = host.lane("trixie", "--", "true")

    assert done.returncode == 2
    assert "Run: apt-get update" in done.stderr


@pytest.mark.parametrize(
    "end", ["echo E: broken; exit 1", "kill -KILL $PPID; exit 1"], ids=["failed", "killed"]
)
def test_a_lane_that_is_half_made_is_made_anew(end: str, host: Host) -> None:
    host.stand_in("debootstrap", DEBOOTSTRAP + f"touch $4/half; {end}")
    failed = host.lane("trixie", "--", "true")
    host.stand_in("debootstrap", DEBOOTSTRAP)
    repeated = host.lane("trixie", "--", "true")

    assert failed.returncode != 0
    assert repeated.returncode == 0
    assert not (host.lanes / "trixie/half").exists()
    assert len([line for line in host.log if line.startswith("debootstrap")]) == 2


def test_what_debootstrap_said_last_is_told(host: Host) -> None:
    host.stand_in("debootstrap", "echo E: no such suite; exit 1")

    done = host.lane("nosuch", "--", "true")

    assert done.returncode == 2
    assert "E: no such suite" in done.stderr


def test_downloads_go_the_way_of_this_machine(host: Host) -> None:
    host.lane("trixie", "--", "true")

    settings = (host.lanes / "trixie/etc/apt/apt.conf.d/00lane").read_text()
    assert settings == 'Acquire::http::Proxy "http://proxy:3142";\n'
    words = entered(host).split()
    assert "PIP_INDEX_URL=https://pypi.example/simple" in words
    assert "https_proxy=http://proxy:3128" in words
    assert not any("/opt/wheels" in word or "mine.crt" in word for word in words)


def test_a_user_of_its_own_runs_the_command_with_the_packages_there(host: Host) -> None:
    host.lane("--user", "trixie", "--", "scripts/run", "-k", "B1 or B2")

    (install,) = (line for line in host.log if "apt-get install" in line)
    assert {"qemu-system-arm", "postgresql", "python3-venv"} <= {*install.split()}
    assert entered(host).startswith(
        f"chroot --userspec=builder {host.lanes}/trixie env -i HOME=/home/builder"
    )
    assert (host.lanes / "trixie/home/builder/checkout.bundle").is_file()
    assert host.log[-1].endswith("-k B1 or B2")


def test_the_shared_memory_of_a_lane_is_its_own(host: Host) -> None:
    host.lane("--shm=64M", "trixie", "--", "true")

    shm = f"tmpfs {host.lanes}/trixie/dev/shm"
    assert f"mount -t tmpfs -o mode=1777,size=64M {shm}" in host.log


def test_a_directory_can_be_read_and_not_written(host: Host, tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()

    host.lane(f"--read={tmp_path}/given", "trixie", "--", "true")

    inside = f"{host.lanes}/trixie{tmp_path}/given"
    assert host.log.index(f"mount --bind {tmp_path}/given {inside}") + 1 == host.log.index(
        f"mount -o remount,bind,ro {inside}"
    )
