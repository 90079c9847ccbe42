# SPDX-License-Identifier: Apache-2.0
"""Try a board: its pools and devices on QEMU's machine, with the kernel under test.

===============  =============================================================================
``try_board``    boot the kernel on what the board was taken over to, run the tests of any shape
``BoardTrial``   the answers: of each pool, of each device, and the exit code
``trial_text``   the answers for a person
``as_json``      the answers for a program
===============  =============================================================================
"""

from harness.jobs.board.board_trial import DIFFERS, BoardTrial, DeviceTrial, try_board
from harness.jobs.board.trial_text import as_json, trial_text

__all__ = ["DIFFERS", "BoardTrial", "DeviceTrial", "as_json", "trial_text", "try_board"]
