# SPDX-License-Identifier: Apache-2.0
"""The interactive session: console, QMP, memory and a rogue device of one machine, by name."""

from harness.shell.attaching import attached_target
from harness.shell.session import Session
from harness.shell.target import Target, dump_target, live_target

__all__ = ["Session", "Target", "attached_target", "dump_target", "live_target"]
