# SPDX-License-Identifier: Apache-2.0
"""The pytest plugin: options, the build before the first test, fixtures, results, artifacts."""

# each before those that import it: pytest must see it first to rewrite its assertions
pytest_plugins = (
    "harness.plugin.options",
    "harness.plugin.session",
    "harness.plugin.markers",
    "harness.plugin.head",
    "harness.plugin.order",
    "harness.plugin.results",
    "harness.plugin.properties",
    "harness.plugin.coverage",
    "harness.plugin.guests",
    "harness.plugin.failures",
    "harness.plugin.oracles",
    "harness.plugin.fences",
    "harness.plugin.machine_fixtures",
    "harness.plugin.guest_fixtures",
    "harness.plugin.recorder",
    "harness.plugin.exit_codes",
)
