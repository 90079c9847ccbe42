# SPDX-License-Identifier: Apache-2.0
"""``harness lint``: exit codes, forms of output, and input that is wrong or hostile."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from devicetree_blobs import GOOD_POOL, POOL, compiled, machine, overlay
from lint_boards import BOARDS, KERNELS, found

from harness.base.paths import CHECKOUT
from harness.cli import main
from harness.machine.devicetree.model import RULES, KernelVersion

GOOD, BAD, UNKNOWN = 0, 1, 2
EMPTY = str(BOARDS / "child-with-empty-region.dts")
HOST = "/pcie@10000000=restricted-dma@50000000"
WIFI = "/pcie@10000000/pcie@1,0/wifi@0,0=pool"

MAIN = "from harness.cli import main; raise SystemExit(main())"


def lint(*words: str | Path) -> int:
    return main(["lint", *map(str, words)])


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ([], GOOD),
        (["--kernel=6.12", f"--expect={WIFI}"], GOOD),
        (["--kernel=7.3", f"--expect={WIFI}"], BAD),
        (["--kernel=6.12", "--kernel=7.3", f"--expect={WIFI}"], BAD),
        ([f"--expect={HOST}"], GOOD),
        (["--expect=pcie@10000000=pool"], GOOD),
        (["--expect=/pcie@10000000=other"], BAD),
        (["--expect=/nothing=pool"], BAD),
        (["--expect=/pcie@10000000/=pool"], GOOD),
        (["--expect=wifi=pool", "--kernel=6.12"], GOOD),
    ],
)
def test_what_is_expected_decides_the_exit_code(words: list[str], code: int) -> None:
    assert lint(*words, EMPTY) == code


def test_memory_of_the_boot_loader_decides() -> None:
    good, none = "--memory=0x40000000+1G", "--memory=0x40000000+0x8000000"

    assert lint(good, BOARDS / "one-cell-each.dts") == GOOD
    assert lint(none, BOARDS / "one-cell-each.dts") == BAD
    assert lint(none, "--memory=0x50000000+64M", BOARDS / "one-cell-each.dts") == GOOD


def test_without_a_memory_node_the_ram_is_a_condition(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint(BOARDS / "no-memory.dts") == 0

    out = capsys.readouterr().out
    assert "restricted to pool good@50000000, if the boot loader adds RAM there, because" in out
    assert "restricted to pool placed, if the boot loader adds RAM with room for it, because" in out
    assert "pool /reserved-memory/placed (placed by the kernel): restricted pool" in out


def test_a_function_that_ends_the_boot_has_the_option_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = tmp_path / "board.dts"
    text = (BOARDS / "root-port.dts").read_text()
    board.write_text(text.replace("0x50000000 0x0 0x400000", "0x80000000 0x0 0x400000"))

    assert lint(board) == BAD

    assert "not mapped RAM, unless the boot loader adds RAM there (--memory)\n" in (
        capsys.readouterr().out
    )


def test_a_board_without_pools_cannot_be_judged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    board = tmp_path / "plain.dtb"
    board.write_bytes(machine())

    assert lint(board) == UNKNOWN
    assert "no node names a restricted pool, and nothing is expected" in capsys.readouterr().out


def test_the_worst_of_several_boards_is_the_exit_code(tmp_path: Path) -> None:
    plain = tmp_path / "plain.dtb"
    plain.write_bytes(machine())
    good, bad = BOARDS / "one-cell-each.dts", BOARDS / "reusable-pool.dts"

    assert lint(plain, good) == UNKNOWN
    assert lint(plain, good, bad, good, good) == BAD


@pytest.mark.parametrize("source", [True, False], ids=["source", "blob"])
def test_an_overlay_is_applied(tmp_path: Path, source: bool) -> None:
    board, more = tmp_path / "board.dtb", 'device { compatible = "x"; memory-region = <&pool>; };'
    board.write_bytes(machine())
    change = overlay(tmp_path, GOOD_POOL, more)
    if not source:
        binary = tmp_path / "change.dtbo"
        binary.write_bytes(compiled(change.read_text()))
        change = binary

    assert lint("--overlay", change, "--expect=/device=restricted-dma@4f000000", board) == GOOD


def test_reasons_name_rule_function_and_place(capsys: pytest.CaptureFixture[str]) -> None:
    lint("--kernel=7.3", EMPTY)

    out = capsys.readouterr().out
    assert re.search(
        r"/wifi@0,0: unrestricted, .*\[empty-region-hides: drivers/of/device.c:"
        r"of_dma_set_restricted_buffer\(\), Linux >=6.16\]",
        out,
    )
    line = 1 + Path(EMPTY).read_text().splitlines().index("\t\t\t\tmemory-region;")
    assert f"({EMPTY}:{line}:5)" in out


def test_each_way_to_be_restricted_names_the_pool(capsys: pytest.CaptureFixture[str]) -> None:
    lint("--kernel=7.3", str(BOARDS / "reach.dts"))

    out = capsys.readouterr().out
    assert "/bus/mmc@10010000: restricted to pool high@140000000, because" in out
    assert "/part/mmc@10030000: restricted to a part of pool low@50000000, because" in out
    assert "/end/mmc@10040000: restricted to pool low@50000000, but nothing fits, because" in out


@pytest.mark.parametrize(
    ("properties", "said"),
    [
        ("size = <0x100000>;", "its 'size' has 4 bytes, not 8 [bad-size]"),
        ("size = <0 0x100000>; alignment = <4096>;", "its 'alignment' has 4 bytes, not 8"),
        ("size = <0 0x100000>; alloc-ranges = <0>;", "has 4 bytes, not a multiple of 16"),
        ("reg = <0 0x4e000000 0 0>;", "the kernel makes no pool: its size is 0"),
        (
            "no-map; reg = <0 0x4e000000 0 0x100000>;",
            "but cannot access it [refused-unmapped, Linux >=6.12",
        ),
    ],
)
def test_what_is_wrong_is_said_with_what_to_write_instead(
    properties: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = tmp_path / "machine.dtb"
    base.write_bytes(machine())
    device = 'device { compatible = "some,device"; memory-region = <&pool>; };'
    changed = overlay(tmp_path, POOL % properties, device)

    lint("--kernel=6.12", f"--overlay={changed}", base)

    text = capsys.readouterr().out
    todo = text.partition("  to do\n")[2]
    assert said in text
    assert re.search(r"^    (Write|Remove) .*\[[a-z-]+\]$", todo, re.MULTILINE)
    assert len(todo.splitlines()) == len(set(todo.splitlines()))


def test_a_device_that_is_disabled_shares_no_pool(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    off = overlay(tmp_path, "", 'off { compatible = "x"; memory-region = <&pool>; %s };')
    off.write_text(off.read_text() % 'status = "disabled";')

    assert lint("--overlay", off, EMPTY) == BAD

    out = capsys.readouterr().out
    assert "/off: no device is made of this node" in out
    assert "[shared-with-unrestricted]" not in out


def test_json_holds_everything(capsys: pytest.CaptureFixture[str]) -> None:
    lint("--json", "--kernel=6.12", EMPTY)

    (board,) = json.loads(capsys.readouterr().out)["boards"]
    (found,) = board["kernels"]
    assert (board["name"], board["status"], found["kernel"]) == (EMPTY, 0, "6.12")
    (pool,) = found["pools"]
    assert (pool["base"], pool["slots"], pool["largest_mapping"]) == (
        1 << 30 | 1 << 28,
        32768,
        1 << 18,
    )
    assert any("created restricted DMA pool at 0x0000000050000000" in one for one in found["log"])


def test_sarif_has_places(capsys: pytest.CaptureFixture[str]) -> None:
    lint("--format=sarif", "--kernel=6.12", "--kernel=7.3", EMPTY)

    log = json.loads(capsys.readouterr().out)
    (run,) = log["runs"]
    (result,) = run["results"]
    place = result["locations"][0]["physicalLocation"]
    assert (result["ruleId"], result["level"]) == ("empty-region-hides", "error")
    assert result["message"]["text"].endswith("(Linux 7.3)")
    assert place["artifactLocation"]["uri"] == EMPTY
    assert place["region"]["startColumn"] == 5


@pytest.mark.parametrize("form", ["github", "sarif"])
@pytest.mark.parametrize(
    ("words", "rule"),
    [
        (["--expect=/nothing=pool", EMPTY], "expected"),
        (["--expect=pcie@10000000=other", EMPTY], "expected"),
        ([BOARDS / "unused-pool.dts"], "nothing-named"),
    ],
)
def test_a_program_is_told_why_the_exit_code_is_not_0(
    form: str, words: list[str | Path], rule: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lint(f"--format={form}", "--kernel=6.12", *words) != GOOD
    assert rule in capsys.readouterr().out


def test_the_name_of_a_file_is_a_uri(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    board = tmp_path / "my board.dts"
    board.write_text(Path(EMPTY).read_text())

    lint("--format=sarif", "--kernel=7.3", board)

    out = capsys.readouterr().out
    assert "/my%20board.dts" in out
    assert "my board" not in out


@pytest.mark.parametrize("form", ["text", "json", "sarif", "github"])
def test_the_name_of_a_file_may_be_any_bytes(form: str, tmp_path: Path) -> None:
    board = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.dts"))
    board.write_text(Path(EMPTY).read_text())
    program = [sys.executable, "-c", MAIN, "lint", f"--format={form}", str(board)]
    strict = {**os.environ, "PYTHONIOENCODING": "utf-8:strict"}

    done = subprocess.run(program, env=strict, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (GOOD, "")
    assert ("%FF.dts" if form == "sarif" else "udcff.dts") in done.stdout


def test_a_file_that_cannot_be_read_is_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lint(EMPTY, tmp_path / "none.dts") == UNKNOWN

    assert "1 that cannot be read" in capsys.readouterr().out


def test_annotations_are_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    lint("--format=github", EMPTY)

    assert re.fullmatch(r"::error file=\S+,line=\d+,col=5,title=empty-region-hides::.*\n",
                        capsys.readouterr().out)  # fmt: skip


def test_a_rule_is_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert lint("--explain=empty-region-hides") == GOOD

    out = capsys.readouterr().out
    assert ">=6.16" in out
    assert "drivers/of/device.c:of_dma_set_restricted_buffer()" in out


@pytest.mark.parametrize(
    ("expected", "said"),
    [
        ("pcie@10000000=dma", "there is no node dma"),
        ("nothing=pool", "there is no device nothing"),
        ("/pcie@10000000=other", "/pcie@10000000 is restricted to pool restricted-dma@50000000"),
        ("/off=other", "/off: no device is made of this node: it, or a node above it, is not"),
    ],
)
def test_an_expectation_that_is_not_met_says_what_is_instead(
    expected: str, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change = overlay(
        tmp_path, POOL.replace("pool:", "other:") % "reg = <0x0 0x4f000000 0x0 0x400000>;",
        'off { compatible = "x"; status = "disabled"; memory-region = <&other>; };',
    )  # fmt: skip

    assert lint("--overlay", change, "--expect", expected, EMPTY) == BAD

    assert f"because expected {expected}: {said}" in capsys.readouterr().out


def test_standard_input_may_be_closed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", None)

    assert lint("-") == UNKNOWN
    assert "<stdin>: cannot be read\n  <stdin> is empty" in capsys.readouterr().out


def test_a_reader_that_leaves_early_is_no_error() -> None:
    program = f"{sys.executable} -c '{MAIN}' lint --explain=all | true"

    done = subprocess.run(program, shell=True, stderr=subprocess.PIPE, text=True, check=True)

    assert done.stderr == ""


@pytest.mark.parametrize(
    ("version", "meant"),
    [
        ("6.12-rc3", "6.12.0"),
        ("v6.12.9", "6.12.9"),
        ("6.12.117+deb13-arm64", "6.12.117"),
        ("6.1.0-32-arm64", "6.1"),
        ("6.8.0-45-generic", "6.8"),
        ("6.12.0", "6.12.0"),
    ],
)
def test_the_version_that_a_machine_names_is_understood(version: str, meant: str) -> None:
    assert KernelVersion.parse(version).text == meant


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--explain=nothing"], "there is no rule 'nothing'"),
        ([], "no devicetree to lint"),
        (["--kernel=new", EMPTY], "'new' is not a kernel version"),
        (["--kernel=5.10", EMPTY], "Linux 5.10 has no restricted DMA pools"),
        (["--expect=x", EMPTY], "'x' is not an expectation. Expected NODE=POOL"),
        (["--loaded=Image=0x50000000+32M", EMPTY], "does not say what is loaded: kernel, initrd"),
        (["--loaded=kernel", EMPTY], "'kernel' does not say where it lies. Expected BASE+SIZE"),
        (["--memory=4G", EMPTY], "'4G' does not say where it lies. Expected BASE+SIZE"),
        (["-", "-"], "standard input can be read once only"),
        (["-", "--overlay=-"], "standard input can be read once only"),
        ([EMPTY, EMPTY, "--overlay=-"], "standard input can be read once only"),
    ],
)
def test_a_wrong_option_is_one_paragraph(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lint(*words) == UNKNOWN
    assert said in capsys.readouterr().err


HOSTILE = {
    "incbin of a file elsewhere": (
        '/dts-v1/;\n/ { a = /incbin/("/etc/passwd"); };',
        "board.dts:2: it includes /etc/passwd, which is neither below",
    ),
    "incbin in pieces": (
        '/dts-v1/;\n/ { a = /incbin/\t(\n"../../../../../../../../etc/passwd", 0, 8); };',
        "it includes .*etc/passwd, which is neither below",
    ),
    "include of a file elsewhere": (
        '/dts-v1/;\n/include/ "/etc/passwd"\n/ { };',
        "board.dts:2: it includes /etc/passwd, which is neither below",
    ),
    "#include of a file elsewhere": (
        '#include "/etc/passwd"\n/dts-v1/;\n/ { };',
        "board.dts: it includes /etc/passwd, which is neither below",
    ),
    "#include of a link to a file elsewhere": (
        '#include "link.dtsi"\n/dts-v1/;\n/ { };',
        "it includes link.dtsi, which is neither below",
    ),
    "include that does not exist": (
        '/dts-v1/;\n/ {\n/include/ "no.dtsi"\n};',
        "board.dts:3: no.dtsi does not exist",
    ),
    "include of itself": ('/dts-v1/;\n/include/ "board.dts"\n', "too deep or too large"),
    "#include of itself": ('#include "board.dts"\n', "nested depth"),
    "syntax error": ("/dts-v1/;\n/ {\n\ta = <1>\n};", r"board.dts:4\.1-2 syntax error"),
    "deep nesting": ("/dts-v1/; / {" + "a{" * 50000 + "};" * 50000 + "};", "does not compile"),
    "no source": ("\x7fELF\0\0", "board.dts: neither a devicetree blob nor a source"),
    "nothing": ("", "is empty"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_source_is_an_error(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text, said = HOSTILE[kind]
    monkeypatch.chdir(tmp_path)
    Path("board.dts").write_text(text)
    Path("link.dtsi").symlink_to("/etc/passwd")

    assert lint("board.dts") == UNKNOWN
    out = capsys.readouterr().out
    assert re.search(said, out)
    assert "root:" not in out
    assert sorted(map(str, Path().iterdir())) == ["board.dts", "link.dtsi"]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("/dts-v1/;\n/ {\n\ta = <1>\n};", "file=board.dts,line=4,col=1"),
        ('#include "no.dtsi"\n', "file=board.dts,line=1,col=10"),
        ('/dts-v1/;\n/ {\n/include/ "no.dtsi"\n};', "file=board.dts,line=3,col=1"),
        ('#include "half.dtsi"\n', "file=half.dtsi,line=2,col=1"),
        ("", "file=board.dts"),
    ],
)
def test_an_annotation_is_where_a_source_is_wrong(
    text: str,
    place: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("board.dts").write_text(text)
    Path("half.dtsi").write_text("/dts-v1/;\n}")

    lint("--format=github", "board.dts")
    assert capsys.readouterr().out.startswith(f"::error {place},title=unreadable::")


def test_an_include_directory_is_trusted(tmp_path: Path) -> None:
    there, board = tmp_path / "there", tmp_path / "boards" / "board.dts"
    there.mkdir()
    board.parent.mkdir()
    (there / "all.dtsi").write_text((BOARDS / "one-cell-each.dts").read_text())
    board.write_text('#include <all.dtsi>\n/ { a = "/incbin/"; /* /include/ "x" */ };')

    assert lint(board) == UNKNOWN
    assert lint("--include", there, board) == GOOD


def test_a_file_beside_the_board_is_included_wherever_the_command_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    boards, here = tmp_path / "boards", tmp_path / "boards" / "here"
    here.mkdir(parents=True)
    (boards / "all.dtsi").write_text((BOARDS / "reusable-pool.dts").read_text())
    (boards / "board.dts").write_text('#include "all.dtsi"\n/ { };\n')
    (here / "all.dtsi").write_text((BOARDS / "one-cell-each.dts").read_text())
    monkeypatch.chdir(here)

    assert lint("--format=github", "../board.dts") == BAD
    assert "file=../all.dtsi,line=" in capsys.readouterr().out


def test_a_file_of_include_is_named_as_the_board_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "all.dtsi").write_text((BOARDS / "reusable-pool.dts").read_text())
    (tmp_path / "board.dts").write_text('/include/ "all.dtsi"\n/ { };\n')
    monkeypatch.chdir(tmp_path)

    assert lint("--format=github", "board.dts") == BAD
    assert "file=all.dtsi,line=" in capsys.readouterr().out


def test_a_source_of_a_kernel_tree_uses_the_headers_of_the_tree(tmp_path: Path) -> None:
    tree, dts = tmp_path / "linux", tmp_path / "linux/arch/arm64/boot/dts/vendor"
    for one in (dts, tree / "scripts/dtc/include-prefixes", tree / "include/uapi/linux",
                tree / "include/dt-bindings/input"):  # fmt: skip
        one.mkdir(parents=True)
    (tree / "scripts/dtc/include-prefixes/dt-bindings").symlink_to("../../../include/dt-bindings")
    (tree / "include/uapi/linux/codes.h").write_text("#define KEY 1\n")
    (tree / "include/dt-bindings/input/codes.h").symlink_to("../../uapi/linux/codes.h")
    board = dts / "board.dts"
    head = "#include <dt-bindings/input/codes.h>\n"
    board.write_text(head + (BOARDS / "one-cell-each.dts").read_text())

    assert lint(board) == GOOD


OVERLAY = """/dts-v1/;
/plugin/;
&{pool} {{
	reusable;
}};
"""


def test_a_remark_on_an_overlay_has_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = tmp_path / "more.dtso"
    overlay.write_text(OVERLAY.format(pool="pool"))

    assert lint("--kernel=7.3", "--overlay", overlay, EMPTY) == BAD
    assert "[refused-flags, docs" not in (out := capsys.readouterr().out)
    assert f"it is reusable [refused-flags] ({overlay}:4:2)" in out


@pytest.mark.parametrize("by_label", [True, False])
def test_an_overlay_that_does_not_fit_is_told_by_what_is_missing(
    by_label: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = tmp_path / "more.dtso"
    overlay.write_text(OVERLAY.format(pool="other" if by_label else "{/other}"))

    assert lint("--overlay", overlay, EMPTY) == UNKNOWN
    missing = "label 'other'" if by_label else "node /other"
    assert f"{overlay}: the board has no {missing}" in capsys.readouterr().out


def test_a_target_that_is_no_alias_is_a_node_that_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    overlay = tmp_path / "more.dts"
    text = '/dts-v1/;\n/ { fragment@0 { target-path = "memory"; __overlay__ { }; }; };\n'
    overlay.write_text(text)

    assert lint("--overlay", overlay, EMPTY) == UNKNOWN
    assert f"{overlay}: the board has no node or alias memory" in capsys.readouterr().out


def test_an_overlay_is_no_board(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    overlay = tmp_path / "more.dtso"
    overlay.write_text(OVERLAY.format(pool="pool"))

    assert lint(overlay) == UNKNOWN
    assert "more.dtso is an overlay. Give the board that it is for" in capsys.readouterr().out


LITTLE = (
    "mem=02000000000",
    "mem=256M",
    "mem=256m@0x40000000",
    "mem=0x10000000",
    "a--b mem=256M",
    "mem=1G mem=256M",
)
ENOUGH = ("", "mem=512M", "quiet -- mem=256M", "mem=256M mem=0", "mem=what")


@pytest.mark.parametrize("limit", [*LITTLE, *ENOUGH])
def test_the_command_line_may_limit_ram(limit: str, tmp_path: Path) -> None:
    board, text = tmp_path / "board.dts", (BOARDS / "one-cell-each.dts").read_text()
    chosen = f'\tchosen {{ bootargs = "quiet {limit}"; }};\n'
    board.write_text(text.replace("\treserved-memory", f"{chosen}\treserved-memory", 1))

    assert lint(board) == (BAD if limit in LITTLE else GOOD)


def test_a_huge_file_is_not_read_to_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    huge = tmp_path / "huge.dtb"
    with huge.open("wb") as file:
        file.truncate(100 << 20)

    assert lint(huge) == UNKNOWN
    assert "too large for a source: more than 16 MiB" in capsys.readouterr().out


PAGE = (CHECKOUT / "docs/lint.md").read_text().partition("## The five most common mistakes")[2]
MISTAKES = re.split(r"(?m)^\d\. ", PAGE)[1:]


def test_the_page_has_five_mistakes() -> None:
    assert len(MISTAKES) == 5


@pytest.mark.parametrize("mistake", MISTAKES, ids=range(1, 6))
def test_a_mistake_of_the_page_is_in_a_board_where_the_lint_finds_it(mistake: str) -> None:
    text, _, sources = mistake.rpartition("\n\n   `tests/boards/")
    boards = re.findall(r"tests/boards/([\w-]+\.dts)`", f"tests/boards/{sources}")
    rules = re.findall(r"`([a-z-]+)`", sources.partition("; rule")[2])
    example = [line.partition("/*")[0].strip() for line in re.findall(r"(?m)^ {7}.*$", text)]

    written = {line.strip() for line in (BOARDS / boards[0]).read_text().splitlines()}
    assert example
    assert set(example) <= written
    said = {one for name in boards for kernel in KERNELS
            for one in found(BOARDS / name, kernel).lines}  # fmt: skip
    for rule in rules:
        assert rule in RULES
        assert any(line.endswith(f"[{rule}]") for line in said), rule
