# SPDX-License-Identifier: Apache-2.0
"""One module an attack, of the same name with dashes, with its ``ATTACK``."""
