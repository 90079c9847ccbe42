# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin: options, the build before the first test, fixtures, results, evidence."""

pytest_plugins = (
    "harness.plugin.options",
    "harness.plugin.session",
    "harness.plugin.guests",
    "harness.plugin.results",
    "harness.plugin.fixtures",
)
