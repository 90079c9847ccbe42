# SPDX-License-Identifier: Apache-2.0
"""Two runs with a test of every kind, and artifacts of one that failed, for tests of reports."""

import json
from pathlib import Path

from golden_logs import golden_log
from made_up_provenance import provenance

from harness.base.result import Result
from harness.base.violation import Violation
from harness.results import Case, Provenance, Run

FILE = "harness/suite/test_a.py"

MACHINE = {
    "pools": [{"name": "restricted-dma@4f000000", "base": 0x4F000000, "size": 0x1000000}],
    "dynamic": [],
    "overlays": ["rogue-scratch"],
    "ram_size": 0x10000000,
    "windows": [],
}

REFUSED = """\
smmuv3-iommu-memory-region-0-5 translation failed for iova=0x40780000 (SMMU_EVT_F_TRANSLATION)
1@1795631178.022890:smmuv3_record_event SMMU_EVT_F_TRANSLATION sid=0x100
Invalid read at addr 0x40780000, size 4, region '(null)', reason: rejected
"""


def patched_with(*series: str) -> Provenance:
    """Where a run comes from that has the patches of *series*."""
    return provenance(
        kernel_key=f"c0ffee{len(series)}",
        source="debian linux-source-6.12 6.12.117-1~deb12u1",
        series=series,
    )


def case(name: str, result: str, *properties: str, artifacts: str = "") -> Case:
    """A test's outcome; the properties of a bad one are broken."""
    bad = result in ("FAIL", "CRASH", "HANG", "KNOWN")
    said = f"<b>{result}</b> & more" if result in ("FAIL", "CRASH", "HANG", "ERROR") else ""
    broken = properties if bad else ()
    return Case(f"{FILE}::{name}", Result(result), broken, said, properties, 1.5, artifacts)


def violation() -> Violation:
    """The example of a failure: a mapping to the device is copied back."""
    return Violation(
        properties=("B5",),
        summary="dma_unmap_single() copied a TO_DEVICE mapping back to the CPU buffer.",
        calls=(
            "dma_map_single(probe-a, 0x41485000, 4096, DMA_TO_DEVICE) = 0x4f007000",
            "[rogue writes 4096 bytes at 0x4f007000]",
            "dma_unmap_single(probe-a, 0x4f007000, 4096, DMA_TO_DEVICE)",
        ),
        expected="buffer at 0x41485000 unchanged",
        observed="4 KiB of 4 KiB changed, first at 0x41485000: c9 -> de",
        places=(
            "0x4f007000 slot 14 of pool restricted-dma@4f000000 [0x4f000000, 0x50000000)",
            "0x41485000 kernel page (page allocator), not in any pool",
        ),
        code="swiotlb_tbl_unmap_single(), kernel/dma/swiotlb.c",
        reproduce='scripts/run --series=fix.patch -k "test_x"',
        debug="harness debug /cache/artifacts/1",
    )


def base_run() -> Run:
    """Without a series: one test is broken, one is known."""
    return Run(
        patched_with(),
        "2026-11-25T17:00:00.000+00:00",
        12.5,
        ("--tier=default", "harness/suite"),
        (
            case("test_good", "PASS", "B1"),
            case("test_spoilt[a/b-1]", "PASS", "B12"),
            case("test_mended", "FAIL", "B2"),
            case("test_bad", "FAIL", "B7"),
            case("test_known", "KNOWN", "E6"),
            case("test_not_here", "SKIP", "A1"),
            case("test_crash", "PASS", "B12"),
        ),
    )


def patched_run(artifacts: str = "") -> Run:
    """With a series that breaks two tests and mends one; *artifacts* is that of the crash."""
    return Run(
        patched_with("0001-one.patch", "0002-two.patch"),
        "2026-11-25T17:05:00.000+00:00",
        13.5,
        ("--tier=default", "harness/suite"),
        (
            case("test_good", "PASS", "B1"),
            case("test_spoilt[a/b-1]", "FAIL", "B12"),
            case("test_mended", "PASS", "B2"),
            case("test_bad", "FAIL", "B7"),
            case("test_known", "KNOWN", "E6"),
            case("test_not_here", "SKIP", "A1"),
            case("test_crash", "CRASH", "B12", artifacts=artifacts),
            case("test_lost", "ERROR", "B3"),
        ),
    )


def write_artifacts(directory: Path, log: str = "oops") -> str:
    """A directory as machine/qemu/artifacts.py leaves it, with a kernel log of tests/logs/."""
    directory.mkdir()
    lines = golden_log(log).lines
    stamped = "".join(f"[{number:10.6f}] {line}\n" for number, line in enumerate(lines))
    files = {
        "console.log": stamped,
        "boot.log": "\n".join(golden_log("clean-boot").lines),
        "qmp.log": '[  0.1] send {"execute": "cont", "arguments": "</pre><script>"}\n',
        "agent.log": "  0.401449 > HELLO\n",
        "fence.log": REFUSED,
        "rogue.log": "rogue0 read 0x40780000 4\nrogue0 write 0x4f001000 64\n"
        "rogue1 read 0x40800000 16 refused\n",
        "ending.txt": "oops: Unable to handle kernel NULL pointer dereference\n",
        "command": "qemu-system-aarch64 -m 256M",
        "machine.json": json.dumps(MACHINE),
    }
    for name, text in files.items():
        (directory / name).write_text(text)
    return str(directory)
