# SPDX-License-Identifier: Apache-2.0
"""Sets of addresses, and what overlaps what, against the plain way to find out."""

import random
from itertools import pairwise

from harness.base.address_range import AddressRange
from harness.machine.devicetree.flat import FlatNode
from harness.machine.devicetree.lint.overlaps import Overlaps
from harness.machine.devicetree.model.spans import Spans
from harness.machine.devicetree.region import Region

MOST = 40


def some_range(rng: random.Random) -> AddressRange:
    return AddressRange(rng.randrange(MOST), rng.randrange(8))


def addresses(one: AddressRange) -> set[int]:
    return set(range(one.base, one.end))


def test_spans_hold_what_was_added_and_not_cut() -> None:
    rng = random.Random(1)
    for _ in range(300):
        spans, kept = Spans(), set[int]()
        for _ in range(rng.randrange(12)):
            one = some_range(rng)
            if rng.random() < 0.7:
                spans.add(one)
                kept |= set(range(one.base, one.end))
            else:
                spans.cut(one)
                kept -= set(range(one.base, one.end))
        ranges = spans.ranges()

        assert {at for one in ranges for at in range(one.base, one.end)} == kept
        assert all(one.end < other.base for one, other in pairwise(ranges))
        for _ in range(10):
            one = some_range(rng)
            inside = set(range(one.base, one.end))
            assert spans.overlaps(one) == bool(inside & kept)
            assert spans.covers(one) == (inside <= kept)


def test_spans_without_others_are_the_rest() -> None:
    rng = random.Random(2)
    for _ in range(300):
        one, other = ([some_range(rng) for _ in range(rng.randrange(9))] for _ in range(2))
        left = Spans(one).without(Spans(other)).ranges()

        wanted = {at for each in one for at in range(each.base, each.end)}
        wanted -= {at for each in other for at in range(each.base, each.end)}
        assert {at for each in left for at in range(each.base, each.end)} == wanted


def test_an_overlap_with_another_node_is_found_if_there_is_one() -> None:
    rng = random.Random(3)
    nodes = [FlatNode(f"node-{number}", None, 0) for number in range(4)]
    for _ in range(500):
        rows = []
        for _ in range(rng.randrange(9)):
            one = some_range(rng)
            rows.append((Region(one.base, one.size, "x"), rng.choice([*nodes, None])))
        overlaps, used, own = Overlaps(rows), some_range(rng), rng.choice(nodes)

        found = overlaps.over(used, own)
        wanted = [row for row, node in rows if node is not own and row.overlaps(used)]
        assert (found in wanted) if wanted else found is None


def test_spans_within_others_and_whole_steps_of_them() -> None:
    rng = random.Random(3)
    for _ in range(300):
        one, other = (Spans(some_range(rng) for _ in range(5)) for _ in range(2))
        held = [set[int]().union(*map(addresses, spans.ranges())) for spans in (one, other)]
        step = rng.randrange(1, 5)

        assert set[int]().union(*map(addresses, one.within(other).ranges())) == held[0] & held[1]
        assert set[int]().union(*map(addresses, one.whole_steps(step).ranges())) == {
            at for at in held[0] if held[0] >= {at // step * step + byte for byte in range(step)}
        }
