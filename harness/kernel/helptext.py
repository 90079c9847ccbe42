# SPDX-License-Identifier: Apache-2.0
"""Help texts of the options that describe a kernel, for pytest and for every sub-command."""

from harness.kernel.build.compiler import FORMS as COMPILERS
from harness.kernel.patches.origin import FORMS as SERIES_FORMS
from harness.kernel.source.sources import FORMS
from harness.kernel.spec import DEFAULT_SOURCE

KERNEL = f"kernel under test: {FORMS} (default: {DEFAULT_SOURCE})"
SERIES = f"patches to apply before the build: {SERIES_FORMS}; may be repeated, in order"
KERNEL_CONFIG = "configuration fragment on top of kernel-config/; may be repeated"
COMPILER = (
    f"compiler of the kernel: {COMPILERS} (default: what LLVM or CROSS_COMPILE names, else that of "
    "the flavour, else gcc)"
)
FLAVOUR = "build with kernel-config/flavours/NAME.config as well, for example kasan"
