# SPDX-License-Identifier: Apache-2.0
"""VM tests of the kernel: one file for each group of properties and each family of attacks."""
