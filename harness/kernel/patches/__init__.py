# SPDX-License-Identifier: Apache-2.0
"""Patch series: found, read as mails, checked against a source and applied to it."""
