# SPDX-License-Identifier: Apache-2.0
"""The interactive session: console, QMP, memory and a rogue device of one machine."""

from harness.shell.session import Session

__all__ = ["Session"]
