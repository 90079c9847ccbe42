# SPDX-License-Identifier: Apache-2.0
"""TCG plugins, through which QEMU shows what the guest's code does.

``build_plugin`` compiles one for a QEMU; ``api.h`` declares what a plugin uses of QEMU's API.
"""

from harness.machine.tcg_plugin.build import build_plugin

__all__ = ["build_plugin"]
