# SPDX-License-Identifier: Apache-2.0
"""Build the probe module for a kernel, once for all kernels that give it the same input.

The input is the probe's own source; every header that its objects name, which kbuild records
beside them (Linux, scripts/basic/fixdep.c); and what configures and links a module. A patch of a
C file changes none of these, so its kernel takes the module of the kernel before.
"""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from harness.base.cache import Cache, digest
from harness.base.paths import CHECKOUT
from harness.kernel.build.kbuild_files import BUILT_CONFIG, CONFIG_STAMP, EXPORTS, MODPOST, RELEASE
from harness.kernel.build.make import Make
from harness.kernel.build.objects import recorded_inputs
from harness.kernel.source.workspace import Workspace

FORMAT = "1"
"""Increase it when the same inputs shall be built differently than before."""

PROBE = "probe.ko"

PROBES = Cache("probes")

HEADERS = "harness-probe.headers"
"""In a build directory: the names of the headers that its last probe was made from."""

PARTS = (
    CONFIG_STAMP,  # the wanted configuration, the compiler, every makefile and script
    BUILT_CONFIG,
    RELEASE,
    EXPORTS,
    "scripts/module.lds",
    MODPOST,
)
"""Files of a build directory that decide how a module is compiled and linked."""


def build_probe(workspace: Workspace, make: Make) -> Path:
    """Return the probe, with debugging information, for the kernel that *make* has built.

    Raises BuildError if it does not compile.
    """
    if not all((make.output / part).is_file() for part in PARTS):
        return _compile(workspace, make)  # a build of somebody else
    names = make.output / HEADERS
    if names.is_file():
        known = PROBES.find(_key(make.output, names.read_text().splitlines()))
        if known is not None:
            return known / PROBE
    built = _compile(workspace, make)
    headers = sorted(_headers(built.parent, make.output))
    names.write_text("".join(f"{name}\n" for name in headers))
    entry = PROBES.get(_key(make.output, headers), lambda directory: _keep(built, directory))
    return entry / PROBE


def _keep(built: Path, directory: Path) -> None:
    shutil.copy2(built, directory)


def _compile(workspace: Workspace, make: Make) -> Path:
    """Compile a copy of the probe at a fixed path, so that paths in it are always the same."""
    guest = workspace.directory / "guest"
    shutil.rmtree(guest, ignore_errors=True)
    shutil.copytree(CHECKOUT / "guest", guest)
    make.run(f"M={guest / 'probe'}", "modules")
    return guest / "probe" / PROBE


def _headers(folder: Path, output: Path) -> Iterator[str]:
    """The files beyond its own that the probe in *folder* was made from, as named in *output*."""
    for name in recorded_inputs(folder, output):
        if not (output / name).resolve().is_relative_to(folder.resolve()):
            yield name


def _key(output: Path, headers: Sequence[str]) -> str:
    """The name in the cache of what is made from the present content of all inputs."""
    sources = sorted(path for path in (CHECKOUT / "guest/probe").iterdir() if path.is_file())
    parts: list[str | Path] = [FORMAT]
    for name, path in (
        *((path.name, path) for path in sources),
        *((name, output / name) for name in (*PARTS, *headers)),
    ):
        parts += [name, path if path.is_file() else ""]
    return digest(*parts)
