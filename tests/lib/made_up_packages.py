# SPDX-License-Identifier: Apache-2.0
"""Packages of a distribution, made when they are fetched."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Deb:
    """A package of the tests: its files, by path, and what it depends on."""

    name: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    depends: tuple[tuple[str, ...], ...] = ()
    version: str = "6.12.9-1"

    @property
    def sha256(self) -> str:
        """Stands for the hash of the content."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Fetched(Deb):
    """The same as apt returns it; *folder* is where it is made."""

    folder: Path = Path()

    def fetch(self) -> Path:
        """Make the package."""
        tree, deb = self.folder / f"{self.name}-tree", self.folder / f"{self.name}.deb"
        control = f"Package: {self.name}\nVersion: 1\nArchitecture: all\n"
        control += "Maintainer: a <b@c>\nDescription: d\n"
        for path, content in {**self.files, "DEBIAN/control": control.encode()}.items():
            (tree / path).parent.mkdir(parents=True, exist_ok=True)
            (tree / path).write_bytes(content)
        subprocess.run(["dpkg-deb", "--build", tree, deb], check=True, stdout=subprocess.DEVNULL)
        return deb


@dataclass
class Lists:
    """The packages of a suite."""

    folder: Path
    debs: tuple[Deb, ...]
    complaint = ""

    def find(self, name: str) -> Fetched | None:
        """As of PackageLists."""
        found = next((one for one in self.debs if one.name == name), None)
        return found and Fetched(**vars(found), folder=self.folder)

    def ask(self, *_: str) -> str:
        """The names of the packages."""
        return "".join(f"{one.name}\n" for one in self.debs)
