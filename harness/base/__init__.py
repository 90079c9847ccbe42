# SPDX-License-Identifier: Apache-2.0
"""What all rooms use: errors, paths, tools, progress, caches, property ids, kernel reports."""
