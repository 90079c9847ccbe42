# SPDX-License-Identifier: Apache-2.0
"""Kernel sources are found in every suite of the mirror that the machine is set up with."""

from pathlib import Path

import pytest
from packaging.version import Version

from harness.base.errors import SourceError
from harness.kernel.source import sources, suites

MIRROR = "http://mirror.example/debian/"

ROWS = f"""\
linux-source-6.1 | 6.1.10-1 | {MIRROR} bookworm/main arm64 Packages
linux-source-7.3 | 7.3.4-1~bpo13+1 | {MIRROR} trixie-backports/main arm64 Packages
 linux-source-7.2 | 7.2.13-1 | {MIRROR} sid/main arm64 Packages
linux-source-7.3 | 7.3~rc7-1~exp1 | {MIRROR} experimental/main arm64 Packages
linux-source-rt-7.4 | 7.4-1 | {MIRROR} sid/main arm64 Packages
"""

STANZA = "Package: linux-source-7.3\nVersion: 7.3.4-1~bpo13+1\nSHA256: 0123\n"

TOOLS = {
    "apt-get": """\
case "$*" in
*update) echo 'Codename: trixie' > "$root/lists/x_InRelease" ;;
*indextargets*) {mirror} ;;
esac
""",
    "apt-cache": f"""\
case "$*" in
*pkgnames*) echo linux-source-7.3 ;;
*madison*) printf '%s' '{ROWS}' ;;
*show*linux-source-7.3) grep -q 'Suites: trixie-backports$' "$root/other.sources" || exit 100
    printf '{STANZA}' ;;
*) exit 100 ;;
esac
""",
}

BEGIN = """\
#!/bin/bash
root=$(dirname "$2")
"""


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set up programs named like apt's, for a mirror with a few kernels."""
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    install(tmp_path, f"echo {MIRROR}")
    return tmp_path


def install(directory: Path, mirror: str) -> None:
    for name, text in TOOLS.items():
        (directory / name).write_text(BEGIN + text.replace("{mirror}", mirror))
        (directory / name).chmod(0o755)


@pytest.mark.usefixtures("machine")
def test_package_of_another_suite_is_found_with_its_version() -> None:
    found = sources.resolve_source("debian:trixie-backports/linux-source-7.3")
    assert (found.version, found.workspace) == (
        Version("7.3.4"),
        "debian-trixie-backports-linux-source-7.3",
    )


@pytest.mark.usefixtures("machine")
def test_newest_is_the_highest_version_and_no_candidate_for_a_release() -> None:
    assert sources.resolve_source("debian:newest").title == (
        "debian linux-source-7.3 7.3.4-1~bpo13+1"
    )


@pytest.mark.usefixtures("machine")
def test_what_the_machines_own_sources_lack_is_taken_from_its_mirror(
    capfd: pytest.CaptureFixture[str],
) -> None:
    found = sources.resolve_source("debian:7.3")
    assert (found.version, found.workspace) == (Version("7.3.4"), "debian-7.3")
    assert "it is taken from trixie-backports" in capfd.readouterr().err


@pytest.mark.usefixtures("machine")
def test_what_no_suite_has_is_not_there() -> None:
    with pytest.raises(SourceError, match=r"'linux-source-9\.9' .* is not in this machine's"):
        sources.resolve_source("debian:9.9")


def test_without_network_the_mirror_is_not_asked(machine: Path) -> None:
    failing = BEGIN + "echo 'E: no network' >&2; exit 100\n"
    (machine / "apt-get").write_text(failing)
    with pytest.raises(SourceError, match="Refreshing the lists failed: E: no network"):
        sources.resolve_source("debian:7.3")
    assert not (machine / "cache/apt-suites").exists()


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("name", ["nosuch/linux-source-7.3", "trixie-backports/linux-source-9.9"])
def test_unknown_suite_or_package_names_those_there_are(name: str) -> None:
    with pytest.raises(
        SourceError, match=rf"'{name}' is not .* has: bookworm/linux-source-6\.1, exp.*/.*7\.3\."
    ):
        sources.resolve_source(f"debian:{name}")


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("suite", ["../x", "a b", ""])
def test_what_is_no_name_of_a_suite_is_refused(suite: str) -> None:
    with pytest.raises(SourceError, match="is not a Debian suite"):
        suites.find_in_suite(suite, "linux-source-7.3")


def test_machine_without_a_debian_mirror_is_explained(machine: Path) -> None:
    install(machine, "true")
    with pytest.raises(SourceError, match="none of this machine's package sources is a Debian"):
        sources.resolve_source("debian:newest")


def test_suites_come_from_the_machines_mirror_and_are_verified(machine: Path) -> None:
    sources.resolve_source("debian:trixie-backports/linux-source-7.3")
    written = machine / "cache/apt-suites/suite-trixie-backports/other.sources"
    lines = written.read_text().splitlines()
    assert (f"URIs: {MIRROR}" in lines, [line for line in lines if "Signed-By" in line]) == (
        True,
        ["Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg"],
    )
