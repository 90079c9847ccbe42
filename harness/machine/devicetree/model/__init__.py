# SPDX-License-Identifier: Apache-2.0
"""A model of the kernel: what it does with the restricted pools of a devicetree, as pure functions.

::

    read_blob(data) ─► predict(tree, kernel, environment) ─► Prediction: regions, devices, log

``rules`` holds what the kernel does as data, with ranges of versions. ``scan.py`` follows
drivers/of/of_reserved_mem.c: by ``scan_late.py`` since 6.13 (and 6.12.13), before by
``scan_at_once.py``; ``steps.py`` is what both do with a node. ``devices.py`` follows
drivers/of/platform.c and drivers/pci/of.c, ``attachment.py`` drivers/of/device.c. ``memory.py`` is
memblock. Nothing here reads a file.
"""

from harness.machine.devicetree.model.attachment import DevicePrediction, Restriction
from harness.machine.devicetree.model.environment import Environment, KernelVersion
from harness.machine.devicetree.model.prediction import Prediction, predict
from harness.machine.devicetree.model.regions import Kind, ReservedNode
from harness.machine.devicetree.model.rules import RULES, Level, Rule

__all__ = [
    "RULES",
    "DevicePrediction",
    "Environment",
    "KernelVersion",
    "Kind",
    "Level",
    "Prediction",
    "ReservedNode",
    "Restriction",
    "Rule",
    "predict",
]
