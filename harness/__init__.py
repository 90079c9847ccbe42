# SPDX-License-Identifier: Apache-2.0
"""Boot a kernel with a restricted DMA pool, attack it with a rogue device, prove its reach."""
