# SPDX-License-Identifier: Apache-2.0
"""One module for each kind of rogue, of the same name, with its ``KIND``."""
