# SPDX-License-Identifier: Apache-2.0
"""Read a secret from kernel memory."""

from harness.devices.attacks.attack import ON_KERNEL_MEMORY, Attack, Result
from harness.devices.attacks.scene import Scene
from harness.devices.attacks.verdicts import theft


def run(scene: Scene) -> Result:
    """Read the page cache's copy of a file that only root may read."""
    secret, place = scene.secret_file()
    return theft(scene, place, secret, "the file's content")


ATTACK = Attack("reads a file out of the page cache", run, ON_KERNEL_MEMORY)
