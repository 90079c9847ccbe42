# SPDX-License-Identifier: Apache-2.0
"""Looking into a guest from outside."""
