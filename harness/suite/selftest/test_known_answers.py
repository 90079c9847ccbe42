# SPDX-License-Identifier: Apache-2.0
"""The harness itself: of real fixes of the kernel, validate says which property they repair.

``taken-out.patch`` takes the fix out of Linux 6.12, and ``fix.patch`` puts it back.
"""

import subprocess

import pytest

from harness.base.paths import CHECKOUT
from harness.results import SuiteRequest
from harness.suite.lib.person import HARNESS

pytestmark = [
    pytest.mark.nightly("it builds twelve kernels"),
    pytest.mark.usefixtures("from_source"),
    pytest.mark.timeout(3600),
]

ANSWERS = CHECKOUT / "tests/series/known-answers"


@pytest.mark.parametrize(
    ("name", "property_", "tests"),
    [
        ("coherent-alignment", "D3", "aligned_to_its_page_order"),
        ("partial-sync", "C4", ""),
        ("largest-mapping", "B11", "maximum or largest_mapping"),
        ("page-alignment", "B8", ""),
        ("stale-bytes", "B4", ""),
        ("disk-requests", "A14", "test_a_large_request_is_cut_into_pieces_that_fit"),
    ],
)
def test_a_fix_is_said_to_repair_its_property(
    settings: SuiteRequest, name: str, property_: str, tests: str
) -> None:
    """With the fix the property holds again, and nothing else changes."""
    patches = [str(ANSWERS / name / "fix.patch"), f"--base-series={ANSWERS / name}/taken-out.patch"]
    chosen = [f"--property={property_}", "-k", tests, "-n1", "--repeats=1"]
    where = ["--kernel=debian:6.12", f"--qemu={settings.qemu}"]

    ran = subprocess.run(
        [HARNESS, "validate", *patches, *chosen, *where],
        check=False,
        capture_output=True,
        text=True,
    )

    print(ran.stdout, ran.stderr)
    said = " ".join(ran.stdout.split())
    assert ran.returncode == 0
    assert f"repairs {property_}" in said
    assert "Verdict: good." in said
