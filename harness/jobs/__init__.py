# SPDX-License-Identifier: Apache-2.0
"""Work that runs the suite, or a guest, many times: one package a job."""
