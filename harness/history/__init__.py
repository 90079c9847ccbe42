# SPDX-License-Identifier: Apache-2.0
"""Every run that was ever made, in a database, and what can be learnt from all of them."""

from harness.history.history import History, open_history

__all__ = ["History", "open_history"]
