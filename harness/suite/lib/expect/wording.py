# SPDX-License-Identifier: Apache-2.0
"""Words that all helpers use: one violation, and values as a failure shows them."""

from harness.base.violation import PropertyViolated, Violation
from harness.plugin.failures import in_hex

KIB = 1024


LONGEST = 400
"""Characters of a value that a failure quotes."""


def violation_of(summary: str, expected: str, observed: str) -> PropertyViolated:
    """The error for what was *observed*; the plugin adds the properties of the test."""
    return PropertyViolated(Violation((), summary, expected=expected, observed=observed))


def shown(value: object) -> str:
    """*value* as a failure shows it: addresses in hex, not too long."""
    text = in_hex(value if isinstance(value, str) and value.strip() else repr(value)).strip()
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."


def size_text(count: int) -> str:
    """A number of bytes, in KiB where it is a whole number of at least 4."""
    if count >= 4 * KIB and not count % KIB:
        return f"{count // KIB} KiB"
    return f"{count} byte{'' if count == 1 else 's'}"
