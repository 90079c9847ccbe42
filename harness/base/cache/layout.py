# SPDX-License-Identifier: Apache-2.0
"""The names of files and directories in the cache that more than one module knows."""

MANIFEST = "manifest.json"
"""The file of a finished entry with the hashes of all others."""

UNFINISHED = ".building"
"""The suffix of the directory of an entry that is being built."""

TRASH = "trash"
"""Where directories go before they are deleted, so that a kill leaves no half of one."""

FAILURES = "failures"
"""The directory of the artifacts of failed tests."""

LANES = "lanes"
"""The directory of the chroots of scripts/lane."""

KERNEL = "kernel"
"""A file in an entry that belongs to one kernel: the kernel's key."""

KERNEL_RECORD, MACHINE_RECORD = "kernel.json", "machine.json"
"""Files that describe a kernel, and the machine of a kept failure."""

BUILD = "build-"
"""The prefix of build directories in a workspace."""
