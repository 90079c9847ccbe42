# SPDX-License-Identifier: Apache-2.0
"""From a source tree and a configuration to a kernel and the initramfs of its guests."""
