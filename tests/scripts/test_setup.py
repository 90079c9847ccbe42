# SPDX-License-Identifier: Apache-2.0
"""scripts/setup on machines that lack something: what it runs, what it says, how it ends."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.base.paths import CHECKOUT
from harness.suite.lib.small_disk import NAMESPACE, can_mount

BASICS = ("sh", "cat", "cmp", "dirname", "env", "grep", "mkdir", "sort", "tr", "uname")
LIST = "dtc device-tree-compiler\nflex flex\n"

PYTHON = """#!/bin/sh
echo "python3 $*" >>{log}
if [ "$2" = venv ]; then
    mkdir -p "$4/bin"
    cp "$0" "$4/bin/python"
fi
"""

INSTALL = "apt-get install -qy --no-install-recommends"


@dataclass(frozen=True)
class Sandbox:
    """A checkout with nothing but the scripts, and a PATH with nothing but stand-ins."""

    folder: Path

    @property
    def programs(self) -> Path:
        """The only directory of the PATH."""
        return self.folder / "bin"

    @property
    def log(self) -> list[str]:
        """The commands that the stand-ins were asked to run."""
        path = self.folder / "log"
        return path.read_text().splitlines() if path.exists() else []

    def stand_in(self, name: str, body: str) -> None:
        """Put a program in the PATH; *body* is shell."""
        path = self.programs / name
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def logging(self, name: str) -> None:
        """Put a program in the PATH that only notes how it was called."""
        self.stand_in(name, f'echo "{name} $*" >>{self.folder}/log')

    def setup(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run the checkout's scripts/setup with no terminal."""
        return subprocess.run(
            [self.folder / "checkout/scripts/setup", *words],
            check=False,
            env={"PATH": str(self.programs)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )


@pytest.fixture
def sandbox(tmp_path: Path) -> Sandbox:
    """A normal user's machine with Python and apt-get, and without dtc and flex."""
    made = Sandbox(tmp_path)
    made.programs.mkdir()
    for name in (*BASICS, "cp"):
        (made.programs / name).symlink_to(shutil.which(name) or name)
    scripts = tmp_path / "checkout/scripts"
    scripts.mkdir(parents=True)
    shutil.copy(CHECKOUT / "scripts/setup", scripts)
    (scripts / "packages.txt").write_text(LIST)
    (scripts / "packages-cross.txt").write_text("")
    (scripts / "packages-tests.txt").write_text("# a server\n\n/no/such/server server\n")
    (tmp_path / "checkout/pyproject.toml").write_text("[project]\n")
    made.stand_in("id", "echo 1000")
    made.stand_in("python3", PYTHON.format(log=tmp_path / "log"))
    made.logging("apt-get")
    return made


def _give_packages(sandbox: Sandbox) -> None:
    for name in ("dtc", "flex"):
        sandbox.stand_in(name, "")


def test_a_user_without_sudo_is_told_the_command(sandbox: Sandbox) -> None:
    done = sandbox.setup()

    assert done.returncode == 2
    assert f"sudo {INSTALL} device-tree-compiler flex\n" in done.stderr


@pytest.mark.parametrize(
    ("words", "packages"),
    [((), "device-tree-compiler flex"), (("tests",), "device-tree-compiler flex server")],
)
def test_what_only_tests_need_is_installed_for_them_only(
    sandbox: Sandbox, words: tuple[str, ...], packages: str
) -> None:
    done = sandbox.setup(*words)

    assert f"sudo {INSTALL} {packages}\n" in done.stderr


def test_a_missing_file_asks_for_its_package_too(sandbox: Sandbox) -> None:
    _give_packages(sandbox)
    packages = sandbox.folder / "checkout/scripts/packages.txt"
    packages.write_text(f"# files\n\n{packages} is-there\n/no/such/file libfile-dev\n")

    done = sandbox.setup()

    assert f"{INSTALL} libfile-dev\n" in done.stderr


def test_a_user_whose_sudo_wants_a_password_is_told_the_command(sandbox: Sandbox) -> None:
    sandbox.stand_in("sudo", "exit 1")

    done = sandbox.setup()

    assert done.returncode == 2
    assert "only root can install them" in done.stderr


def test_nothing_is_installed_for_a_user_who_is_told_the_command(sandbox: Sandbox) -> None:
    sandbox.setup()

    assert not any(line.startswith("apt-get") for line in sandbox.log)


def test_root_gets_the_packages_installed(sandbox: Sandbox) -> None:
    sandbox.stand_in("id", "echo 0")

    done = sandbox.setup()

    assert done.returncode == 0
    assert f"{INSTALL} device-tree-compiler flex" in sandbox.log


def test_a_user_with_sudo_gets_the_packages_installed_by_it(sandbox: Sandbox) -> None:
    sandbox.logging("sudo")

    sandbox.setup()

    wanted = f"sudo env DEBIAN_FRONTEND=noninteractive {INSTALL} device-tree-compiler flex"
    assert wanted in sandbox.log


def test_packages_that_cannot_be_installed_end_the_set_up(sandbox: Sandbox) -> None:
    sandbox.stand_in("id", "echo 0")
    sandbox.stand_in("apt-get", "exit 100")

    done = sandbox.setup()

    assert done.returncode == 2
    assert "apt-get install failed" in done.stderr


def test_a_system_without_apt_is_told_the_packages(sandbox: Sandbox) -> None:
    (sandbox.programs / "apt-get").unlink()

    done = sandbox.setup()

    assert done.returncode == 2
    assert "has no apt-get to install them." in done.stderr
    assert "Debian's packages of them: device-tree-compiler flex. " in done.stderr
    assert "HARNESS_BUSYBOX" in done.stderr


def test_a_system_without_apt_needs_no_packages_of_apt(sandbox: Sandbox) -> None:
    (sandbox.programs / "apt-get").unlink()
    _give_packages(sandbox)
    packages = sandbox.folder / "checkout/scripts/packages.txt"
    packages.write_text(f"{packages.read_text()}apt-get apt\ndpkg-deb-none dpkg\n")

    assert sandbox.setup().returncode == 0


@pytest.mark.skipif(not can_mount(), reason="this user may not mount in a namespace")
def test_a_read_only_checkout_without_its_environment_is_named(sandbox: Sandbox) -> None:
    _give_packages(sandbox)
    checkout = sandbox.folder / "checkout"
    read_only = (
        'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && PATH=$2 "$1/scripts/setup"'
    )

    done = subprocess.run(
        [*NAMESPACE, "sh", "-c", read_only, "sh", checkout, sandbox.programs],
        check=False,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 2
    assert f"{checkout} cannot be written" in done.stderr
    assert "Run a copy of it" in done.stderr


def test_a_python_without_venv_asks_for_its_package(sandbox: Sandbox) -> None:
    _give_packages(sandbox)
    sandbox.stand_in("python3", "exit 1")

    done = sandbox.setup()

    assert done.returncode == 2
    assert f"{INSTALL} python3-venv\n" in done.stderr


def test_a_python_that_is_too_old_is_named(sandbox: Sandbox) -> None:
    _give_packages(sandbox)
    old = 'case "$*" in --version) echo Python 3.9.2 ;; *version_info*) exit 1 ;; esac'
    sandbox.stand_in("python3", old)

    done = sandbox.setup()

    assert done.returncode == 2
    assert "Python 3.11 or newer is needed" in done.stderr
    assert "Python 3.9.2" in done.stderr


def test_a_second_set_up_does_nothing_and_says_nothing(sandbox: Sandbox) -> None:
    _give_packages(sandbox)
    first = sandbox.setup()
    (sandbox.folder / "log").unlink()

    second = sandbox.setup()

    assert (first.returncode, second.returncode, second.stderr) == (0, 0, "")
    assert not any("venv" in line.split() or "pip" in line.split() for line in sandbox.log)


def test_new_requirements_make_the_environment_anew(sandbox: Sandbox) -> None:
    _give_packages(sandbox)
    sandbox.setup()
    (sandbox.folder / "log").unlink()
    (sandbox.folder / "checkout/pyproject.toml").write_text("[project]\ndependencies = []\n")

    sandbox.setup()

    assert any(" venv " in line for line in sandbox.log)


def test_an_environment_that_could_not_be_filled_is_made_anew(sandbox: Sandbox) -> None:
    _give_packages(sandbox)
    python = sandbox.programs / "python3"
    working = python.read_text()
    sandbox.stand_in("python3", f'case "$*" in *"pip install"*) exit 1 ;; esac\n{working}')

    failed = sandbox.setup()
    sandbox.stand_in("python3", working)
    repeated = sandbox.setup()

    assert (failed.returncode, repeated.returncode) == (2, 0)
