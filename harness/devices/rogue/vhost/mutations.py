# SPDX-License-Identifier: Apache-2.0
"""Mutations of a device's answers; give one to a rogue as its ``on_request``.

======================  ====================================================================
``wrong_length``        the used element says another number of bytes
``wrong_id``            ... another request, or none that there is
``index_jump``          the used index moves by more than there are elements
``rewritten``           the request's descriptors say something else when it is completed
``run_on``              the request's last descriptor says that its chain goes on
``scribble``            the whole descriptor table, or the available ring, is overwritten
``no_data``             completed, but nothing was written
``late_data``           the buffers are written to after the driver has got them back
``duplicate``           completed more than once
``hold``                never completed, unless the rogue releases it
``delayed``             completed later
``hang_up``             the device goes away instead
``other_data``          other bytes, in the places of the right ones
``only``                a mutation for some requests alone
``capacity``            a disk of another size; for ``on_config``
======================  ====================================================================

A mutation is a function of the request and the honest answer; ``both(a, b)`` combines two.
"""

from collections.abc import Callable, Container
from dataclasses import replace

from harness.devices.rogue.vhost.answer import Answer, Write
from harness.devices.rogue.vhost.ring import FLAGS_OFFSET, Descriptor, Request
from harness.observe.memory.virtqueue import DESCRIPTOR, RING_HEAD

Mutation = Callable[[Request, Answer], Answer]
"""Turns the honest answer to a request into another."""

ConfigMutation = Callable[[bytes], bytes]
"""Turns a device's configuration space into another."""

SECTORS_SIZE = 8
"""Bytes of the capacity, with which a disk's configuration space begins (1.2, 5.2.4)."""


def wrong_length(length: int) -> Mutation:
    """Say that *length* bytes were written."""
    return lambda _, answer: replace(answer, length=length)


def wrong_id(identity: int) -> Mutation:
    """Complete request *identity* instead; no request has one beyond the ring's size."""
    return lambda _, answer: replace(answer, identity=identity)


def index_jump(advance: int) -> Mutation:
    """Move the used index by *advance*, modulo 65536."""
    return lambda _, answer: replace(answer, advance=advance)


def rewritten(
    address: int | None = None, size: int | None = None, flags: int | None = None, then: int = 0
) -> Mutation:
    """Change the descriptors of the request before it is completed; None leaves what they say.

    *then* is what they say of the next one.
    """

    def mutation(request: Request, answer: Answer) -> Answer:
        def spoilt(number: int) -> Write:
            buffer = request.buffers[number]
            word = DESCRIPTOR.pack(
                buffer.address if address is None else address,
                buffer.size if size is None else size,
                Descriptor.WRITE * buffer.writable if flags is None else flags,
                then,
            )
            return Write(buffer.descriptor, word)

        spoils = tuple(spoilt(number) for number in range(len(request.buffers)))
        return replace(answer, writes=answer.writes + spoils)

    return mutation


def run_on(request: Request, answer: Answer) -> Answer:
    """Have the ring's last descriptor of the request say that the chain goes on.

    Linux follows its own links then, but for as long as the ring says so, as it gives the
    descriptors back (drivers/virtio/virtio_ring.c:detach_buf_split, 6.12).
    """
    place = request.links[-1] + FLAGS_OFFSET
    word = Write(place, Descriptor.NEXT.to_bytes(2, "little"))
    return replace(answer, writes=(*answer.writes, word))


def scribble(fill: int, *, available: bool = False) -> Mutation:
    """Fill the descriptor table, or the *available* ring with its index, with byte *fill*."""

    def mutation(request: Request, answer: Answer) -> Answer:
        layout = request.layout
        table = Write(layout.descriptors, bytes([fill]) * layout.size * DESCRIPTOR.size)
        ring = Write(layout.available, bytes([fill]) * (RING_HEAD + 2 * layout.size))
        return replace(answer, writes=(*answer.writes, ring if available else table))

    return mutation


def no_data(_: Request, answer: Answer) -> Answer:
    """Complete it, and write nothing."""
    return replace(answer, writes=())


def late_data(fill: int, delay: float) -> Mutation:
    """Answer honestly, and fill the same places with byte *fill* *delay* seconds later."""

    def mutation(_: Request, answer: Answer) -> Answer:
        late = tuple(filled(write, fill) for write in answer.writes)
        return replace(answer, late=late, late_delay=delay)

    return mutation


def duplicate(times: int = 2) -> Mutation:
    """Complete it *times* times."""
    return lambda _, answer: replace(answer, times=times)


def hold(_: Request, answer: Answer) -> Answer:
    """Never complete it."""
    return replace(answer, times=0)


def delayed(seconds: float) -> Mutation:
    """Complete it honestly, *seconds* later."""
    return lambda _, answer: replace(answer, delay=seconds)


def hang_up(_: Request, answer: Answer) -> Answer:
    """Go away."""
    return replace(answer, hang_up=True)


def other_data(fill: int) -> Mutation:
    """Write byte *fill* wherever something was to be written, a disk's status too."""
    return lambda _, answer: replace(
        answer, writes=tuple(filled(write, fill) for write in answer.writes)
    )


def only(mutation: Mutation, numbers: Container[int]) -> Mutation:
    """Mutate the answers to the requests with these *numbers*, and no others."""

    def some(request: Request, answer: Answer) -> Answer:
        return mutation(request, answer) if request.number in numbers else answer

    return some


def both(first: Mutation, second: Mutation) -> Mutation:
    """Apply *first*, then *second*."""
    return lambda request, answer: second(request, first(request, answer))


def capacity(sectors: int) -> ConfigMutation:
    """A disk that says it has so many sectors of 512 bytes."""
    return lambda config: sectors.to_bytes(SECTORS_SIZE, "little") + config[SECTORS_SIZE:]


def filled(write: Write, fill: int) -> Write:
    """The same write, of as many bytes *fill*."""
    return Write(write.address, bytes([fill]) * len(write.data))
