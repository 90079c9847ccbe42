# SPDX-License-Identifier: Apache-2.0
"""A report's stack is told in files and lines, of the kernel and of its modules."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from harness.base.architecture import CROSS
from harness.base.kreport import StackFrame, reports_in
from harness.kernel.code import CodePlace, KernelCode, decoded_traces

SOURCE = """\
static inline __attribute__((always_inline)) void inner(volatile int *at)
{
    *at = 1;
}
__attribute__((noinline)) void outer(volatile int *at)
{
    inner(at);
}
"""

CALL, STORE = 7, 3
"""Lines of SOURCE: outer() has inner() inlined."""


def build(directory: Path, name: str, *options: str) -> Path:
    """SOURCE compiled in *directory* to the ELF file *name*."""
    (directory / "pool.c").write_text(SOURCE)
    command = [f"{CROSS}gcc", "-g", "-O1", "-nostdlib", *options, "-o", name, "pool.c"]
    subprocess.run(command, cwd=directory, check=True)
    return directory / name


@pytest.fixture
def vmlinux(tmp_path: Path) -> Path:
    return build(tmp_path, "vmlinux", "-static", "-Wl,-Ttext-segment=0xffff800080000000,-e,0")


@pytest.fixture
def module(tmp_path: Path) -> Path:
    return build(tmp_path, "probe.ko", "-c")


def store_offset(binary: Path) -> int:
    """How far into outer() its store is."""
    dump = [f"{CROSS}objdump", "-d", "--no-show-raw-insn", str(binary)]
    text = subprocess.run(dump, capture_output=True, text=True, check=True).stdout
    start = re.search(r"^([0-9a-f]+) <outer>:$", text, re.MULTILINE)
    body = text.partition("<outer>:")[2]
    store = re.search(r"^ *([0-9a-f]+):\s+str\s", body, re.MULTILINE)
    assert start
    assert store
    return int(store[1], 16) - int(start[1], 16)


def test_an_empty_segment_of_the_kernel_is_not_in_the_way_of_modules(
    tmp_path: Path, module: Path
) -> None:
    (tmp_path / "script").write_text(
        "PHDRS { text PT_LOAD; none PT_LOAD; }\n"
        "SECTIONS { . = 0xffff800080000000; .all : { *(.text .data .eh_frame) } :text }\n"
    )
    vmlinux = build(tmp_path, "vmlinux", "-static", "-Wl,-T,script,-e,0")
    code = KernelCode(vmlinux, {"probe": module})

    for name in ("", "probe"):
        (*_, last) = code.places(StackFrame("outer", 4, 0x20, module=name))
        assert last.line


@pytest.mark.parametrize("name", ["", "probe"])
def test_a_frame_is_its_functions_with_file_and_line(
    vmlinux: Path, module: Path, name: str
) -> None:
    code = KernelCode(vmlinux, {"probe": module})
    offset = store_offset(module if name else vmlinux)

    places = code.places(StackFrame("outer", offset, 0x20, name), returns=False)

    assert [(one.function, Path(one.file).name, one.line, one.outer) for one in places] == [
        ("inner", "pool.c", STORE, "outer"),
        ("outer", "pool.c", CALL, ""),
    ]


def test_an_address_that_a_call_returns_to_is_looked_up_at_the_call(vmlinux: Path) -> None:
    code, behind = KernelCode(vmlinux), store_offset(vmlinux) + 4

    assert [one.line for one in code.places(StackFrame("outer", behind, 0x20))] == [STORE, CALL]
    assert code.places(StackFrame("outer", behind, 0x20), returns=False)[0].line not in (
        STORE,
        CALL,
    )


def test_without_debugging_information_a_frame_is_its_name(vmlinux: Path, tmp_path: Path) -> None:
    stripped = tmp_path / "stripped"
    shutil.copy2(vmlinux, stripped)
    subprocess.run([f"{CROSS}strip", "--strip-debug", stripped], check=True)

    for code in (KernelCode(stripped), KernelCode(tmp_path / "gone"), KernelCode(vmlinux)):
        assert code.places(StackFrame("nowhere", 4, 0x20)) == (CodePlace("nowhere"),)
        assert code.places(StackFrame("f", 4, 8, "other")) == (CodePlace("f", module="other"),)
    assert KernelCode(stripped).places(StackFrame("outer", 4, 0x20)) == (CodePlace("outer"),)


def test_a_reports_stack_is_told_once_and_exactly_where_the_cpu_was(vmlinux: Path) -> None:
    offset = store_offset(vmlinux)
    log = [
        "[    1.000000] Unable to handle kernel paging request at virtual address 0",
        f"[    1.000001] pc : outer+{offset:#x}/0x20",
        "[    1.000002] lr : caller+0x10/0x20",
        "[    1.000003] Call trace:",
        f"[    1.000004]  outer+{offset:#x}/0x20",
        "[    1.000005]  lost+0x10/0x20 [probe]",
    ]

    text = decoded_traces(reports_in(log), KernelCode(vmlinux))

    assert re.sub(r"\(/\S*/", "(", text).splitlines() == [
        "oops: paging request in outer",
        f"  inner (pool.c:{STORE}) inlined",
        f"  outer (pool.c:{CALL})",
        "  caller+0x10/0x20, by lr",
        "  lost+0x10/0x20 [probe]",
    ]


def test_of_no_report_there_is_no_stack(vmlinux: Path) -> None:
    assert decoded_traces(reports_in(["[    1.000000] clk: fine"]), KernelCode(vmlinux)) == ""


def test_files_are_named_as_in_the_source_tree_wherever_that_was(tmp_path: Path) -> None:
    for name, text in (("init/main.c", "void start_kernel(void) {}\n"), ("dma/pool.c", SOURCE)):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(text)
    files = (tmp_path / "init/main.c", tmp_path / "dma/pool.c")
    link = ("-nostdlib", "-static", "-Wl,-Ttext-segment=0xffff800080000000,-e,0")
    vmlinux = tmp_path / "vmlinux"
    subprocess.run([f"{CROSS}gcc", "-g", *link, "-o", vmlinux, *files], check=True)

    place, *_ = KernelCode(vmlinux).places(StackFrame("outer", 0, 0x20), returns=False)

    assert place.file == "dma/pool.c"
