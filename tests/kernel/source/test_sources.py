# SPDX-License-Identifier: Apache-2.0
"""Every form of kernel source leads to the same tree, and a wrong one to an explanation."""

import subprocess
from pathlib import Path

import pytest
from kernel_trees import FILES, tiny_tree
from scratch_git import commit_all, git

from harness.base.errors import HostError, SourceError
from harness.kernel.source.sources import resolve_source
from harness.kernel.source.tree import SourceTree

pytestmark = pytest.mark.usefixtures("cache")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tiny_tree(tmp_path / "linux-1.2")


@pytest.fixture
def repository(directory: Path) -> Path:
    commit_all(directory)
    return directory


def tarball(directory: Path, suffix: str, *options: str) -> Path:
    path = directory.parent / f"linux-1.2.tar{suffix}"
    where = ("-C", directory.parent, directory.name)
    subprocess.run(["tar", "--create", "--file", path, *options, *where], check=True)
    return path


def populate(text: str, tmp_path: Path) -> dict[str, str]:
    """Return the files that source *text* brings into an empty tree."""
    tree = SourceTree(tmp_path / "workspace")
    tree.directory.mkdir(exist_ok=True)
    resolve_source(text).populate(tree)
    files = (path for path in tree.source.rglob("*") if path.is_file())
    return {str(path.relative_to(tree.source)): path.read_text() for path in files}


def test_directory_is_copied(directory: Path, tmp_path: Path) -> None:
    assert populate(str(directory), tmp_path) == FILES


@pytest.mark.parametrize(
    ("suffix", "options"), [("", ()), (".xz", ("--xz",)), (".gz", ("--gzip",)), (".bz2", ("-j",))]
)
def test_tarball_is_unpacked(
    directory: Path, tmp_path: Path, suffix: str, options: tuple[str, ...]
) -> None:
    assert populate(str(tarball(directory, suffix, *options)), tmp_path) == FILES


def test_unpacked_files_are_newer_than_any_object(directory: Path, tmp_path: Path) -> None:
    archive = tarball(directory, "", "--mtime=2020-01-01")
    populate(str(archive), tmp_path)
    unpacked = tmp_path / "workspace" / "src" / "README"
    assert unpacked.stat().st_mtime >= archive.stat().st_mtime


@pytest.mark.parametrize("revision", ["main", "HEAD", "v1"])
def test_revision_of_a_local_repository_is_copied(
    repository: Path, tmp_path: Path, revision: str
) -> None:
    git(repository, "tag", "v1")
    assert populate(f"git:{repository}@{revision}", tmp_path) == FILES


def test_uncommitted_changes_are_no_part_of_a_revision(repository: Path, tmp_path: Path) -> None:
    (repository / "README").write_text("changed")
    assert populate(f"git:{repository}@HEAD", tmp_path) == FILES


def test_revision_of_a_remote_repository_is_fetched(repository: Path, tmp_path: Path) -> None:
    assert populate(f"git:file://{repository}@main", tmp_path) == FILES


def test_commit_that_was_fetched_needs_the_remote_no_more(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.kernel.source.revision.say", None)
    head = git(repository, "rev-parse", "HEAD")
    first = resolve_source(f"git:file://{repository}@{head}").identity
    repository.rename(repository.with_name("moved"))
    assert resolve_source(f"git:file://{repository}@{head}").identity == first


def test_branch_of_a_silent_remote_is_that_of_the_last_run(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr("harness.kernel.source.revision.say", said.append)
    first = resolve_source(f"git:file://{repository}@main").identity
    repository.rename(repository.with_name("moved"))
    assert (resolve_source(f"git:file://{repository}@main").identity, len(said)) == (first, 1)


def test_checkout_and_its_revision_are_one_kernel(repository: Path) -> None:
    checkout = resolve_source(str(repository))
    assert resolve_source(f"git:{repository}@HEAD").identity == checkout.identity


def test_changed_file_makes_another_kernel(directory: Path) -> None:
    before = resolve_source(str(directory)).identity
    (directory / "README").write_text("other")
    assert resolve_source(str(directory)).identity != before


def test_title_names_the_commit(repository: Path) -> None:
    head = git(repository, "rev-parse", "HEAD")
    assert head[:12] in resolve_source(f"git:{repository}@main").title


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("/nowhere/at/all", "no such file or directory.*debian:6.12.*tarball"),
        ("git:/nowhere", "names no revision"),
        ("git:file:///nowhere@main", "cannot be fetched from file:///nowhere"),
    ],
)
def test_source_that_is_not_there_is_explained(text: str, complaint: str) -> None:
    with pytest.raises(SourceError, match=complaint):
        resolve_source(text)


def test_unknown_revision_is_explained(repository: Path) -> None:
    with pytest.raises(SourceError, match="has no revision 'v9'"):
        resolve_source(f"git:{repository}@v9")


def test_directory_that_is_no_kernel_is_explained(directory: Path) -> None:
    (directory / "arch/arm64/Makefile").unlink()
    with pytest.raises(SourceError, match="not a complete Linux source: it has no arch/arm64"):
        resolve_source(str(directory))


def test_revision_that_is_no_kernel_is_explained(repository: Path, tmp_path: Path) -> None:
    git(repository, "rm", "--quiet", "Kconfig")
    git(repository, "commit", "--quiet", "--message=y")
    with pytest.raises(SourceError, match="not a complete Linux source: it has no Kconfig"):
        populate(f"git:{repository}@HEAD", tmp_path)


def test_file_that_is_no_archive_is_explained(tmp_path: Path) -> None:
    (tmp_path / "linux.tar.xz").write_text("hello")
    with pytest.raises(SourceError, match="cannot be unpacked as a tar archive"):
        populate(str(tmp_path / "linux.tar.xz"), tmp_path)


def test_cut_archive_is_explained(directory: Path, tmp_path: Path) -> None:
    archive = tarball(directory, ".xz", "--xz")
    archive.write_bytes(archive.read_bytes()[:-100])
    with pytest.raises(SourceError, match="cannot be unpacked"):
        populate(str(archive), tmp_path)


def test_full_disk_is_noticed_before_unpacking(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.kernel.source.archive.SOURCE_SIZE", 1 << 60)
    with pytest.raises(HostError, match=r"needs \d+ MiB on the file system of .* are free"):
        populate(str(tarball(directory, "")), tmp_path)
