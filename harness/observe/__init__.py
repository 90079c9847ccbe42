# SPDX-License-Identifier: Apache-2.0
"""Observe a guest from outside: its memory, and the kernel's structures in it."""
