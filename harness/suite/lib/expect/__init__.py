# SPDX-License-Identifier: Apache-2.0
"""Expectations of property tests; each helper raises PropertyViolated with addresses and bytes.

==================  ==============================================================================
``in_pool``         the addresses that a device was given are in its pool; ``outside``: none is
``within``          ranges of memory are in a pool; ``none_within``: none is
``not_bounced``     a mapping is the buffer itself
``apart``           no two ranges share a byte
``at_addresses``    the device was given exactly these addresses
``aligned``         an address is a multiple of an alignment
``bits_kept``       an address keeps the bits of min_align_mask
``within_boundary`` a mapping does not cross a segment boundary
``all_reserved``    every page of a pool is reserved; ``not_reserved``: no page is
``attached``        a device has a given pool, or none
``logged``          the kernel log has a line; ``not_logged``: it does not
``printed``         the kernel prints a line soon
``alive``           the guest still runs commands
``holds``           memory holds a pattern
``unchanged``       memory still holds a pattern
``same_bytes``      memory holds given bytes
``slots_used``      the kernel counts a number of slots in use
``mapped``          the kernel mapped a buffer; ``not_mapped``: it refused
``refused``         the kernel refuses a call
``fence_held``      the fence refused nothing and is intact; ``fence_intact``: it is intact
``counted``         a count has a value
``equal``           a value, a list or bytes are as expected; ``require``: any other condition
==================  ==============================================================================

The plugin adds the rest: the properties of the test, unless they are named here, their sentence if
*summary* is empty, the driver's calls, and what each address is (harness/plugin/failures.py).
"""

from harness.suite.lib.expect.addresses import (
    aligned,
    apart,
    at_addresses,
    bits_kept,
    in_pool,
    none_within,
    not_bounced,
    outside,
    within,
    within_boundary,
)
from harness.suite.lib.expect.contents import holds, same_bytes, unchanged
from harness.suite.lib.expect.fence import fence_held, fence_intact
from harness.suite.lib.expect.kernel import (
    alive,
    all_reserved,
    attached,
    logged,
    not_logged,
    not_reserved,
    printed,
    slots_used,
)
from harness.suite.lib.expect.outcomes import mapped, not_mapped, refused
from harness.suite.lib.expect.values import counted, equal, require

__all__ = [
    "aligned",
    "alive",
    "all_reserved",
    "apart",
    "at_addresses",
    "attached",
    "bits_kept",
    "counted",
    "equal",
    "fence_held",
    "fence_intact",
    "holds",
    "in_pool",
    "logged",
    "mapped",
    "none_within",
    "not_bounced",
    "not_logged",
    "not_mapped",
    "not_reserved",
    "outside",
    "printed",
    "refused",
    "require",
    "same_bytes",
    "slots_used",
    "unchanged",
    "within",
    "within_boundary",
]
