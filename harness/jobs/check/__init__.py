# SPDX-License-Identifier: Apache-2.0
"""Check whether the drivers of a kernel, as it is shipped, keep their DMA inside their pool.

================  ============================================================================
``check_kernel``  boot it behind a fence, have each driver use its device; the answers
``confined``      the pools of a machine, and the fence around them
``find_driver``   the driver of a device by its name
``KernelCheck``   the answers: of each pool, of each device, and the exit code
``check_text``    the answers for a person
``as_json``       the answers for a program
================  ============================================================================
"""

from harness.jobs.check.answers import (
    DeviceAnswer,
    DeviceState,
    KernelCheck,
    PoolAnswer,
    PoolTreatment,
    as_json,
)
from harness.jobs.check.check_kernel import check_kernel, find_driver
from harness.jobs.check.check_machine import confined
from harness.jobs.check.check_text import check_text

__all__ = [
    "DeviceAnswer",
    "DeviceState",
    "KernelCheck",
    "PoolAnswer",
    "PoolTreatment",
    "as_json",
    "check_kernel",
    "check_text",
    "confined",
    "find_driver",
]
