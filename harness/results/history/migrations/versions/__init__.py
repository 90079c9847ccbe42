# SPDX-License-Identifier: Apache-2.0
"""One file a change of the tables, in the order of their numbers. They only go up."""
