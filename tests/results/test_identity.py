# SPDX-License-Identifier: Apache-2.0
"""What a verdict depends on is what its tests import and read."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.base.paths import CHECKOUT
from harness.results import identity
from harness.results.identity import basis, files_behind

TREE = {
    "harness/__init__.py": "",
    "harness/plugin/__init__.py": 'pytest_plugins = (\n    "harness.plugin.results",\n)\n',
    "harness/plugin/results.py": "",
    "harness/suite/__init__.py": "",
    "harness/suite/conftest.py": "from harness.suite.lib import conf\n",
    "harness/suite/lib/__init__.py": "",
    "harness/suite/lib/conf.py": "",
    "harness/suite/test_a.py": "from harness.a import (\n    one,\n    two,\n)\n",
    "harness/suite/test_b.py": "def test_b():\n    import harness.b.deep as d\n",
    "harness/a/__init__.py": "",
    "harness/a/one.py": 'from harness.base.paths import CHECKOUT\nA = CHECKOUT / "guest" / "x"\n',
    "harness/a/two.py": "from harness.c import value\n",
    "harness/a/unused.py": "",
    "harness/a/data.toml": "",
    "harness/b/__init__.py": "",
    "harness/b/deep.py": "",
    "harness/c.py": "value = 1\n",
    "harness/base/__init__.py": "",
    "harness/base/paths.py": "",
    "guest/x/main.c": "",
    "docs/page.md": "",
}

A = ("harness/suite/test_a.py::test_it[x]",)

BEHIND_A = {
    *("harness/suite/test_a.py", "harness/suite/conftest.py", "harness/suite/lib/conf.py"),
    *("harness/a/one.py", "harness/a/two.py", "harness/a/data.toml", "harness/c.py"),
    *("harness/base/paths.py", "guest/x/main.c", "harness/plugin/results.py"),
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(identity, "CHECKOUT", tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", [one for one in TREE if "__init__" not in one])
def test_a_verdict_depends_on_what_its_test_imports_and_reads(tree: Path, name: str) -> None:
    before = basis(A)

    (tree / name).write_text("# changed\n")

    assert (basis(A) != before) is (name in BEHIND_A)


@pytest.mark.usefixtures("tree")
def test_all_tests_depend_on_what_any_of_them_imports() -> None:
    names = {identity.source_name(path) for path in files_behind()}

    assert {*BEHIND_A, "harness/suite/test_b.py", "harness/b/deep.py"} < names
    assert not {"harness/a/unused.py", "docs/page.md"} & names


def test_the_package_around_an_imported_module_counts(tree: Path) -> None:
    before = basis(A)

    (tree / "harness/base/__init__.py").write_text("# changed\n")

    assert basis(A) != before


def test_the_name_of_a_file_counts(tree: Path) -> None:
    before = basis(A)

    (tree / "harness/a/data.toml").rename(tree / "harness/a/data.tml")

    assert basis(A) != before


def test_a_package_that_a_test_begins_to_import_counts(tree: Path) -> None:
    (tree / "harness/new").mkdir()
    (tree / "harness/new/__init__.py").write_text("")
    before = basis(A)

    (tree / "harness/c.py").write_text("import harness.new\n")
    between = basis(A)
    (tree / "harness/new/__init__.py").write_text("value = 2\n")

    assert len({before, between, basis(A)}) == 3


def imported(module: Path) -> Iterator[str]:
    """What the parser says that *module* imports of the harness."""
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: an import that is relative is not looked for"
            yield from (f"{node.module}.{one.name}" for one in node.names)


def test_every_import_of_this_harness_is_found() -> None:
    files = {*files_behind()}
    missing = [
        (path, name)
        for path in files
        if path.suffix == ".py"
        for name in imported(path)
        if name.startswith("harness.")
        for place in [CHECKOUT / name.replace(".", "/")]
        for file in (place.with_suffix(".py"), place / "__init__.py")
        if file.is_file() and file not in files
    ]

    assert missing == []


def test_sub_commands_and_pages_are_behind_no_test() -> None:
    names = {identity.source_name(path) for path in files_behind()}

    assert not [name for name in names if name.startswith("harness/cli/")]
    pages = {name for name in names if name.startswith(("docs/", "README"))}
    assert pages == {"docs/findings.md", "docs/debugging-story.md"}  # which a selftest types


def test_what_every_test_needs_is_among_the_files() -> None:
    names = {identity.source_name(path) for path in files_behind(["harness/suite/properties"])}

    assert {
        *("harness/plugin/oracles.py", "harness/suite/conftest.py", "harness/base/result.py"),
        *("docs/findings.md", "dts/probes.dtso", "kernel-config/base.config"),
        "harness/base/kreport/known.toml",
    } < names
    assert any(name.startswith("guest/agent/") for name in names)
    assert not any("selftest" in name for name in names)
