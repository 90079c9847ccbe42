# SPDX-License-Identifier: Apache-2.0
"""Read a secret from kernel memory."""

from harness.devices.attacks.attack import ON_KERNEL_MEMORY, Attack, Observation
from harness.devices.attacks.context import Context
from harness.devices.attacks.judging import theft


def run(context: Context) -> Observation:
    """Read the page cache's copy of a file that only root may read."""
    secret, place = context.secret_file()
    return theft(context, place, secret, "the file's content")


ATTACK = Attack("reads a file out of the page cache", run, ON_KERNEL_MEMORY)
