# SPDX-License-Identifier: Apache-2.0
"""Guest memory: bytes by physical address, the kernel's structures in them, where a byte lies."""
