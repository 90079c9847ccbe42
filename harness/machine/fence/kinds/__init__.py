# SPDX-License-Identifier: Apache-2.0
"""One module for each fence, with its name; ``fence(windows, ports)`` returns the fence."""
