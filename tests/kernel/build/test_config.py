# SPDX-License-Identifier: Apache-2.0
"""Wanted options are merged in order, checked afterwards, and missed with a reason."""

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import pytest
from kernel_trees import KCONFIG, tiny_tree
from packaging.version import Version

from harness.base.errors import ConfigError
from harness.kernel import default_fragments
from harness.kernel.build.fragment import read_fragments
from harness.kernel.build.kconfig import check_config, read_config
from harness.kernel.build.reasons import explain_missing, read_entries

V612 = Version("6.12.117")

NEED = re.compile(r"# (every test|(propert(y|ies)|escapes?) [A-G]\d+\b.*|[a-z][a-z ]+): \S.*")
"""Above each option: what needs it, a colon, and how."""


def fragment(path: Path, *lines: str) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def check(tmp_path: Path, wanted: str, config: str) -> None:
    options = read_fragments([fragment(tmp_path / "wanted", wanted)], V612).options
    check_config(options, fragment(tmp_path / "config", config), tiny_tree(tmp_path / "tree"))


def explain(tmp_path: Path, symbol: str, config: Mapping[str, str]) -> str:
    return explain_missing(read_entries(tiny_tree(tmp_path / "tree")), symbol, config)


def test_later_fragment_wins(tmp_path: Path) -> None:
    first = fragment(tmp_path / "a", "CONFIG_A=y", "CONFIG_B=8")
    second = fragment(tmp_path / "b", "# CONFIG_A is not set")
    assert read_fragments([first, second], V612).text == "# CONFIG_A is not set\nCONFIG_B=8\n"


@pytest.mark.parametrize("line", ["CONFIG_A", "A=y", "CONFIG_A=yes", "CONFIG_A = y", "hello"])
def test_line_that_is_no_configuration_is_refused_with_its_place(tmp_path: Path, line: str) -> None:
    path = fragment(tmp_path / "mine.config", "# comment", "", line)
    with pytest.raises(ConfigError, match=r"mine\.config:3: .* is not a line of a kernel config"):
        read_fragments([path], V612)


@pytest.mark.parametrize(
    ("version", "symbols"), [("6.1", ["OLD", "ALL"]), ("7.3.4", ["NEW", "ALL"]), ("7.2", ["ALL"])]
)
def test_option_of_other_versions_is_left_out(
    tmp_path: Path, version: str, symbols: list[str]
) -> None:
    old, new = ("#: kernels <6.12", "CONFIG_OLD=y"), ("#: kernels >=7.3,<8", "CONFIG_NEW=y")
    path = fragment(tmp_path / "mine.config", *old, *new, "CONFIG_ALL=y")
    assert list(read_fragments([path], Version(version)).options) == symbols


def test_make_variables_are_read(tmp_path: Path) -> None:
    path = fragment(tmp_path / "mine.config", "#: make CFLAGS_GCOV=-a -b", "CONFIG_ALL=y")
    wanted = read_fragments([path], V612)
    assert (wanted.variables, wanted.text) == (("CFLAGS_GCOV=-a -b",), "CONFIG_ALL=y\n")


@pytest.mark.parametrize("line", ["#: kernels", "#: make nothing", "#: hello"])
def test_unknown_directive_is_refused_with_its_place(tmp_path: Path, line: str) -> None:
    with pytest.raises(ConfigError, match=r"mine\.config:1: .* is none of '#: kernels RANGE', "):
        read_fragments([fragment(tmp_path / "mine.config", line)], V612)


def test_range_that_is_none_is_refused_with_its_place(tmp_path: Path) -> None:
    path = fragment(tmp_path / "mine.config", "#: kernels newer", "CONFIG_A=y")
    with pytest.raises(ConfigError, match=r"mine\.config:2: 'newer' is not a range"):
        read_fragments([path], V612)


def test_absent_fragment_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.config cannot be read"):
        read_fragments([tmp_path / "absent.config"], V612)


def test_complete_configuration_is_read(tmp_path: Path) -> None:
    lines = ("#", "# CONFIG_NO is not set", "CONFIG_YES=y", 'CONFIG_TEXT="a b"', "CONFIG_N=-1")
    config = read_config(fragment(tmp_path / ".config", *lines))
    assert config == {"YES": "y", "TEXT": '"a b"', "N": "-1"}


@pytest.mark.parametrize(
    ("wanted", "config"),
    [
        ("CONFIG_A=y", "CONFIG_A=y"),
        ("# CONFIG_A is not set", "CONFIG_B=y"),
        ("CONFIG_A=n", "# CONFIG_A is not set"),
        ('CONFIG_A="x"', 'CONFIG_A="x"'),
    ],
)
def test_option_that_stuck_is_fine(tmp_path: Path, wanted: str, config: str) -> None:
    check(tmp_path, wanted, config)


@pytest.mark.parametrize(
    ("wanted", "config"),
    [
        ("CONFIG_PCI=y", ""),
        ("CONFIG_PCI=y", "CONFIG_PCI=m"),
        ("# CONFIG_PCI is not set", "CONFIG_PCI=y"),
        ("CONFIG_NUMBER=9", "CONFIG_NUMBER=1"),
    ],
)
def test_option_that_did_not_stick_is_named_with_its_place(
    tmp_path: Path, wanted: str, config: str
) -> None:
    with pytest.raises(ConfigError, match=rf"{wanted} \(.*/wanted:1\): "):
        check(tmp_path, wanted, config)


def test_unknown_option_is_explained(tmp_path: Path) -> None:
    assert "no such option" in explain(tmp_path, "NOSUCH", {})


def test_unmet_dependencies_are_named(tmp_path: Path) -> None:
    reason = explain(tmp_path, "DEEP", {"SLOW": "y"})
    assert reason == (
        "Kconfig asks for 'PCI', and PCI is not set; "
        "'FIREWALL && !SLOW', and FIREWALL is not set, SLOW is y"
    )


def test_met_dependencies_are_not_blamed(tmp_path: Path) -> None:
    reason = explain(tmp_path, "DEEP", {"PCI": "y", "SLOW": "y"})
    assert "'PCI'" not in reason


def test_option_without_a_prompt_is_explained(tmp_path: Path) -> None:
    assert "cannot be set by hand" in explain(tmp_path, "SELECTED", {})


def test_other_value_is_shown(tmp_path: Path) -> None:
    assert explain(tmp_path, "NUMBER", {"NUMBER": "1"}).startswith("it is 1;")


def test_help_text_is_not_taken_for_kconfig(tmp_path: Path) -> None:
    conditions = {entry.symbol: entry.conditions for entry in read_entries(tiny_tree(tmp_path))}
    assert conditions["FIREWALL"] == []


def test_conditions_around_a_sourced_file_count(tmp_path: Path) -> None:
    tree = tiny_tree(tmp_path)
    (tree / "Kconfig").write_text(f'{KCONFIG}\nif FIREWALL\nsource "more/Kconfig"\nendif\n')
    (tree / "more").mkdir()
    (tree / "more" / "Kconfig").write_text('config INNER\n\tbool "Inner"\n')
    conditions = {entry.symbol: entry.conditions for entry in read_entries(tree)}
    assert conditions["INNER"] == ["FIREWALL"]


def test_dependencies_of_a_menu_count(tmp_path: Path) -> None:
    tree = tiny_tree(tmp_path)
    text = 'menu "M"\n\tdepends on PCI\nconfig INNER\n\tbool "Inner"\nendmenu\n'
    (tree / "Kconfig").write_text(text)
    assert [entry.conditions for entry in read_entries(tree)] == [["PCI"]]


@pytest.mark.parametrize("path", default_fragments(), ids=lambda path: path.name)
def test_every_option_of_the_project_says_what_needs_it(path: Path) -> None:
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#:")]
    bare = [
        line
        for above, line in pairwise(lines)
        if line.startswith("CONFIG_") and not NEED.match(above)
    ]
    assert bare == []


def test_no_option_of_the_project_is_set_twice() -> None:
    symbols = [
        symbol
        for path in default_fragments()
        for symbol in re.findall(r"^CONFIG_(\w+)=", path.read_text(), re.MULTILINE)
    ]
    assert sorted(symbols) == sorted(set(symbols))
