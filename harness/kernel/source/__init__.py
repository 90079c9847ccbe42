# SPDX-License-Identifier: Apache-2.0
"""Kernel sources: distribution packages, directories, archives and git repositories."""
