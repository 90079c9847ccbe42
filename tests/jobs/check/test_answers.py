# SPDX-License-Identifier: Apache-2.0
"""The exit code of a check, and its answers as JSON."""

import json

import pytest

from harness.jobs.check import as_json
from harness.jobs.check.answers import (
    DeviceAnswer,
    DeviceState,
    DmaCall,
    Escape,
    KernelCheck,
    PoolAnswer,
    PoolTreatment,
)
from harness.machine.devicetree import Pool
from harness.machine.fence import Refusal

POOL = Pool(0x4F00_0000, 0x100_0000, "restricted-dma@4f000000", "pool", ("/pcie@10000000",))

INSIDE, OUTSIDE, BROKEN = DeviceState.INSIDE, DeviceState.OUTSIDE, DeviceState.BROKEN
UNBOUND, LACKING = DeviceState.UNBOUND, DeviceState.LACKING


def check_of(*states: DeviceState, asked: tuple[str, ...] = ()) -> KernelCheck:
    devices = tuple(
        DeviceAnswer(f"device-{number}", "driver", state, "why")
        for number, state in enumerate(states)
    )
    pools = (PoolAnswer(POOL, PoolTreatment.RECOGNISED),)
    return KernelCheck("6.12", "QEMU", True, pools, devices, asked)


@pytest.mark.parametrize(
    ("states", "code"),
    [
        ((INSIDE, INSIDE), 0),
        ((INSIDE, LACKING), 0),
        ((INSIDE, OUTSIDE), 1),
        ((INSIDE, BROKEN), 1),
        ((INSIDE, UNBOUND), 2),
        ((UNBOUND, OUTSIDE), 1),
        ((LACKING,), 2),
        ((), 2),
    ],
)
def test_the_exit_code_is_good_only_if_all_that_was_judged_is_inside(
    states: tuple[DeviceState, ...], code: int
) -> None:
    assert check_of(*states).verdict.exit_code == code


def test_a_device_that_is_asked_for_must_be_judged() -> None:
    assert check_of(INSIDE, LACKING, asked=("device-0",)).verdict.exit_code == 0
    assert check_of(INSIDE, LACKING, asked=("device-0", "device-1")).verdict.exit_code == 2


def test_the_json_has_addresses_in_hex_and_the_origin() -> None:
    refusal = Refusal("0000:01:00.0", 0x486A_B000, "read", 1.0)
    origin = DmaCall("dma_alloc", 0x486A_B000, 2048, ("nvme_alloc_queue", "nvme_probe"))
    escape = Escape(refusal, 16, origin)
    device = DeviceAnswer("nvme", "nvme", OUTSIDE, escape.text, escape, ("a line",))
    pool = PoolAnswer(POOL, PoolTreatment.IGNORED, "feature not built")

    content = json.loads(
        json.dumps(as_json(KernelCheck("6.12", "QEMU", False, (pool,), (device,))))
    )

    assert (content["feature_built"], content["exit_code"]) == (False, 1)
    assert content["pools"][0] == {
        "name": "restricted-dma@4f000000",
        "base": "0x4f000000",
        "size": 0x100_0000,
        "state": "ignored",
        "reason": "feature not built",
    }
    assert content["devices"][0]["detail"] == "read 0x486ab000, mapped by nvme_alloc_queue()"
    assert content["devices"][0]["refused"] == {
        "device": "0000:01:00.0",
        "address": "0x486ab000",
        "access": "read",
        "count": 16,
        "mapped": {
            "event": "dma_alloc",
            "base": "0x486ab000",
            "size": 2048,
            "frames": ["nvme_alloc_queue", "nvme_probe"],
        },
    }
