# SPDX-License-Identifier: Apache-2.0
"""One module a fence, of the same name: its ``fence(windows, ports)`` returns it."""
