# SPDX-License-Identifier: Apache-2.0
"""Files in a build directory: those that kbuild reads and writes, and the harness's own."""

WANTED_CONFIG = ".config"
"""The configuration, of which kbuild makes BUILT_CONFIG."""

BUILT_CONFIG = "include/config/auto.conf"
"""The configuration that kbuild compiled with; it has no strings in quotes."""

RELEASE = "include/config/kernel.release"
"""What ``uname -r`` prints."""

VMLINUX = "vmlinux"

EXPORTS = "Module.symvers"
"""The symbols that modules are linked against, with their checksums."""

GENERATED_HEADERS = "include/generated"
ARCH_GENERATED_HEADERS = "arch/arm64/include/generated"

FIXDEP, MODPOST = "scripts/basic/fixdep", "scripts/mod/modpost"
"""Programs that kbuild compiles for its own use, and runs when it builds a module."""

CONFIG_STAMP = "harness-config.stamp"
"""A hash of what the configuration was made from: its text, the compiler, each makefile."""

BUILT_STAMP = "harness-built.stamp"
"""The key of the kernel that was built here last."""
