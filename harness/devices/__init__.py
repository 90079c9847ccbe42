# SPDX-License-Identifier: Apache-2.0
"""What acts on a guest: probe, rogue devices, attacks, real drivers and oracles."""
