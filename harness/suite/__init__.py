# SPDX-License-Identifier: Apache-2.0
"""The VM tests: one file for each group of properties and each family of attacks."""
