# SPDX-License-Identifier: Apache-2.0
"""The tag in a kernel address of CONFIG_KASAN_HW_TAGS."""

TAG = 0xFF << 56
"""The byte that has the tag, and is all ones without (Linux,
Documentation/arch/arm64/memory-tagging-extension.rst)."""


def untagged(address: int) -> int:
    """The kernel virtual *address* without its tag."""
    return address | TAG
