# SPDX-License-Identifier: Apache-2.0
"""VM tests of the harness itself: a failure here is an ERROR and says nothing about the kernel."""
