# SPDX-License-Identifier: Apache-2.0
"""A kernel that refuses the probe is not judged, and the reason says what to do."""

import pytest

from harness.plugin.boots import refused_probe
from harness.results.case import MESSAGE_SIZE

GOOD = "[  3.1] [    0.900000] probe: loading out-of-tree module taints kernel.\n"

ANOTHER_BUILD = """\
[  3.360935] [    2.637208] Module verification certificates are loaded
[  3.995149] [    3.241364] probe: version magic '6.12.9 SMP' should be '6.12.3 SMP'
[  4.083079] agent: loading /lib/modules/probe.ko: Exec format error
"""

SIGNED = """\
[  3.995149] [    0.912345][    T1] Loading of module with unavailable key is rejected
[  4.083079] agent: loading /lib/modules/probe.ko: Required key not available
"""

ODD = """\
[  3.995149] Run /init as init process
[  4.083079] agent: loading /lib/modules/probe.ko: Cannot allocate memory
"""


@pytest.mark.parametrize(
    ("log", "parts"),
    [
        (
            ANOTHER_BUILD,
            ("Exec format error (probe: version magic '6.12.9", "'make ARCH=arm64 Image"),
        ),
        (SIGNED, ("available (Loading of module with un", "without CONFIG_MODULE_SIG_FORCE")),
        (
            ODD,
            ("Cannot allocate memory (it does not say why).", "Build the kernel and its modules"),
        ),
    ],
    ids=["another build", "signed", "odd"],
)
def test_a_refused_probe_is_told_with_the_kernels_reason(
    log: str,
    parts: tuple[str, ...],
) -> None:
    told = refused_probe(log)

    assert [part for part in parts if part not in told] == []
    assert "\n" not in told
    assert len(told) < MESSAGE_SIZE


def test_a_kernel_that_loads_the_probe_is_not_refused() -> None:
    assert refused_probe(GOOD) == ""
