"""A plan cut into slices: together they are the plan, and each is approved for what it buys and nothing else."""

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet.credits import total
from callsheet.errors import SpecError
from callsheet.plan import Line, Plan
from callsheet.routing import alone
from callsheet.slices import Part, Slice, cut
from callsheet.steps.outcome import to_walk

from .plans import plan

POOL = alone("sandbox")


def slices(whole: Plan, size: int) -> tuple[Slice, ...]:
    return cut(whole, places=[line.variant.label for line in whole.lines], walked=to_walk(whole), size=size, pool=POOL)


def with_lines(whole: Plan, change: dict[int, Line]) -> Plan:
    return replace(whole, lines=tuple(change.get(number, line) for number, line in enumerate(whole.lines)))


@given(size=st.integers(1, 30))
def test_every_variant_is_in_one_slice_in_order_and_the_prices_add_up(size: int) -> None:
    whole = plan()
    cuts = slices(whole, size)
    assert [label for one in cuts for label in one.labels] == [line.variant.label for line in whole.lines]
    assert all(len(one.labels) <= size for one in cuts)
    assert total([one.costs for one in cuts]) == whole.costs
    assert all(before.part.last < after.part.first for before, after in pairwise(cuts))


def test_a_slice_s_plan_is_its_lines_and_its_digest_is_its_own() -> None:
    whole = plan()
    first, second, third = slices(whole, 10)
    assert [str(one.part) for one in (first, second, third)] == ["1-10", "11-20", "21-24"]
    assert first.plan.lines == whole.lines[:10]
    assert len({one.plan.digest for one in (first, second, third)} | {whole.digest}) == 4
    assert slices(whole, 24)[0].plan.digest == whole.digest


def test_what_is_not_walked_is_left_alone_unless_it_is_at_rest() -> None:
    whole = plan()
    done = whole.lines[1]._replace(action="skip", reason="archived")
    blocked = whole.lines[2]._replace(action="blocked")
    changed = with_lines(whole, {1: done, 2: blocked})
    places = [line.variant.label for line in changed.lines]
    walked = [label for label in to_walk(changed) if label != places[3]]
    (one,) = cut(changed, places=places, walked=walked, size=100, pool=POOL)
    # A line that says skip without a take of its own is another's: it would be bought here.
    assert one.without == (places[1], places[3])
    assert places[2] in {line.variant.label for line in one.plan.lines}


def test_the_same_purchase_is_made_by_the_slice_that_has_it_first() -> None:
    whole = plan()
    first = whole.lines[0]
    twin = whole.lines[12]._replace(key=first.key, action="skip", reason="the same", credits=first.credits * 0)
    near = whole.lines[5]._replace(key=first.key, action="skip", reason="the same", credits=first.credits * 0)
    changed = with_lines(whole, {5: near, 12: twin})
    a, b, _ = slices(changed, 10)
    assert near.variant.label not in a.without
    assert b.without == (twin.variant.label,)


@pytest.mark.parametrize("text", ["", "5", "0-3", "4-3", "1-2-3", "a-b", "-1-2", "1-９", "1-99999999999"])
def test_a_part_is_two_places(text: str) -> None:
    with pytest.raises(SpecError, match="is not a part of a campaign"):
        Part.read(text)


def test_a_part_is_read_as_it_is_written() -> None:
    part = Part.read("501-1000")
    assert (str(part), 501 in part, 1000 in part, 1001 in part) == ("501-1000", True, True, False)
