# SPDX-License-Identifier: Apache-2.0
"""Real drivers as parameters of tests."""

import pytest
from _pytest.mark.structures import ParameterSet

from harness.devices.drivers import Driver


def driver_parameter(driver: Driver, *marks: pytest.MarkDecorator) -> ParameterSet:
    """*driver* as a parameter; the test is skipped without the driver's device."""
    devices = [pytest.mark.needs("the driver's device", qemu=model) for model in driver.devices]
    return pytest.param(driver, id=driver.model, marks=[*marks, *devices])
