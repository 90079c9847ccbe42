# SPDX-License-Identifier: Apache-2.0
"""The harness itself: what was built in a workspace before does not decide what is built next."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from random import Random

import pytest

from harness.base.errors import BuildError, ConfigError
from harness.base.paths import cache_directory
from harness.kernel import Kernel, KernelSpec, build_kernel
from harness.kernel.build.build import configured_tree, plan_kernel
from harness.kernel.source.workspace import open_workspace, workspaces
from harness.results import SuiteRequest
from harness.suite.lib.nasty_series import EDITS, write_series

pytestmark = [
    pytest.mark.nightly("six kernels of its own"),
    pytest.mark.usefixtures("from_source"),
    pytest.mark.timeout(7200),
]

SHARED = ("apt", "packages", "ccache")
"""Parts of the cache that hold no state of a workspace."""

BUILT = 3
"""Of so many series the kernels are compared, of all others the configuration alone."""

BAD = ("option renamed", "option removed", "does not build")
"""Series of which there is no kernel."""

SEED = date.today().toordinal()


@dataclass(frozen=True)
class Caches:
    """The cache with the one workspace that sees all series, and empty ones beside it."""

    root: Path
    real: Path
    monkeypatch: pytest.MonkeyPatch

    def use(self, name: str) -> None:
        """Have what follows use cache *name*, whose workspace is empty if it is new."""
        directory = self.root / name.replace(" ", "-")  # make takes no space in a path
        if not directory.is_dir():
            directory.mkdir()
            for part in SHARED:
                (directory / part).symlink_to(self.real / part)
            if (self.root / "tree").is_dir():
                _link(self.root / "tree", directory / "workspaces")
        self.monkeypatch.setenv("HARNESS_CACHE", str(directory))

    @contextmanager
    def empty(self, name: str) -> Iterator[None]:
        """Use a cache with an empty workspace, and throw it away."""
        self.use(name)
        yield
        _remove(cache_directory())


@pytest.fixture
def spec(settings: SuiteRequest) -> KernelSpec:
    """The kernel under test without a series."""
    return replace(settings.spec, series=())


@pytest.fixture
def caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spec: KernelSpec) -> Iterator[Caches]:
    """A pristine tree, from which empty workspaces are made."""
    caches = Caches(tmp_path, cache_directory(), monkeypatch)
    caches.use("shared")
    plan = plan_kernel(spec)
    with open_workspace(plan.source.workspace) as workspace:
        plan.source.populate(workspace.tree)
    _link(workspaces(), tmp_path / "tree")
    yield caches
    _remove(tmp_path)


@pytest.fixture
def series(caches: Caches, spec: KernelSpec) -> dict[str, KernelSpec]:
    """The nasty series, in an order that is another each day."""
    (source,) = caches.root.glob("tree/*/src")
    written = {}
    for name in Random(SEED).sample(list(EDITS), len(EDITS)):
        patches = write_series(name, lambda path: (source / path).read_text(), caches.root)
        written[name] = replace(spec, series=patches)
    return written


def test_every_series_is_configured_as_in_an_empty_workspace(
    caches: Caches, series: dict[str, KernelSpec]
) -> None:
    """Keys and configurations do not depend on the series that came before."""
    caches.use("shared")
    after_others = {name: _configured(one) for name, one in series.items()}

    alone = {}
    for name, one in series.items():
        with caches.empty(name):
            alone[name] = _configured(one)

    assert after_others == alone
    assert {name for name, (_, said) in alone.items() if said.startswith("ConfigError")} == {
        "option renamed",
        "option removed",
    }


def test_kernels_are_the_same_as_from_an_empty_workspace(
    caches: Caches, series: dict[str, KernelSpec]
) -> None:
    """Of three series, others each day, the kernels do not depend on what was built before."""
    caches.use("shared")
    for name in ("option renamed", "does not build"):
        with pytest.raises((ConfigError, BuildError)):
            build_kernel(series[name])
    good = [name for name in series if name not in BAD]
    after_others = {name: _image(build_kernel(series[name])) for name in good[:BUILT]}

    alone = {}
    for name in after_others:
        with caches.empty(name):
            alone[name] = _image(build_kernel(series[name]))

    assert [name for name in alone if alone[name] != after_others[name]] == []


def _link(tree: Path, copy: Path) -> None:
    """Copy a tree by hard links: its files are replaced, never written to."""
    subprocess.run(["cp", "-al", tree, copy], check=True)


def _remove(directory: Path) -> None:
    """Remove a tree at once, which need not wait until pytest does."""
    subprocess.run(["rm", "-rf", directory], check=True)


def _configured(spec: KernelSpec) -> tuple[str, str]:
    """The key of a kernel, and its configuration or why there is none."""
    plan = plan_kernel(spec)
    try:
        with configured_tree(plan) as (_, make):
            return plan.key, (make.output / ".config").read_text()
    except ConfigError as error:
        return plan.key, f"ConfigError: {re.sub(r'/[^ ]*', 'PATH', str(error))}"


def _image(kernel: Kernel) -> bytes:
    """The image without the build id, which covers the paths of the debugging information."""
    return kernel.image.read_bytes().replace(bytes.fromhex(kernel.build_id), b"")
