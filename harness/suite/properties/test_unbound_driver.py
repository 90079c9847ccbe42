# SPDX-License-Identifier: Apache-2.0
"""What a driver leaves in the pool when it is unbound from a device that owes it an answer."""

import pytest

from harness.jobs.fuzz import FieldMutation, FuzzCase, FuzzStep, run_case
from harness.machine.environment import Environment
from harness.suite.lib.expect import equal
from harness.suite.lib.rogues import needs_rogue

HELD = FuzzCase("rng", (FuzzStep("plug", 0, (FieldMutation(0, "times", 0),)), FuzzStep("rebind")))
"""The device does not answer the first request, then its driver goes and comes again.

The driver makes that request in its probe. Of later ones it depends on how fast the kernel's own
thread is who waits for them: a reader that waits would let the fuzzer release the request.
"""


@pytest.mark.property("B13")
@pytest.mark.finding("virtio-rng-keeps-a-slot", kernels=">=6.1")
@needs_rogue("rng")
def test_a_driver_that_is_unbound_gives_its_slots_back(environment: Environment) -> None:
    """A driver whose device still has a request when it goes takes no slot with it."""
    equal(run_case(environment, HELD).symptoms, (), "the fuzzer's symptoms of that")
