# SPDX-License-Identifier: Apache-2.0
"""The interactive session: a person inside a machine, with console, QMP, rogue and memory."""

from harness.shell.session import Session

__all__ = ["Session"]
