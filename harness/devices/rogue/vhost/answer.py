# SPDX-License-Identifier: Apache-2.0
"""Answer: what a device does with a request, as data, honest or mutated."""

from dataclasses import dataclass

from harness.base.hex_repr import hex_repr


@hex_repr
@dataclass(frozen=True)
class Write:
    """*data* that the device writes to a guest-physical *address*."""

    address: int
    data: bytes


@dataclass(frozen=True)
class Answer:
    """How a request is answered.

    After *delay* seconds the *writes* are done, in order; then *times* used elements with
    *identity* and *length* (both of 32 bits) are put into the used ring, each moving its index
    by *advance*, and the driver is interrupted; the *late* writes follow *late_delay* seconds
    later. With *times* 0 the request is held until it is released. *hang_up* ends the connection
    with QEMU instead of all this.
    """

    identity: int
    length: int
    writes: tuple[Write, ...] = ()
    late: tuple[Write, ...] = ()
    times: int = 1
    advance: int = 1
    delay: float = 0.0
    late_delay: float = 0.0
    hang_up: bool = False
