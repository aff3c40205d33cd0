"""Which route gets the next job: the cheapest that is well; one that is down gives way, one that is stopped is out."""

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from callsheet.credits import Credits
from callsheet.health import OPEN_AT_MOST, OPEN_FOR, OPENS_AFTER, Health, in_order
from callsheet.routing import Card, Pool

CHEAP = Card(name="cheap", factor=Fraction("0.9"))
POOL = Pool(name="evolink", cards=(Card(name="evolink"), CHEAP))
OFFERS = POOL.offers("kling-o1-video-edit", Credits.of(36))


def order(**health: Health) -> list[str]:
    known = {"evolink": Health(), "cheap": Health(), **health}
    return [offer.route for offer in in_order(OFFERS, known, 0.0)]


def test_a_route_that_accepts_nothing_three_times_in_a_row_gives_way() -> None:
    health = Health()
    for _ in range(OPENS_AFTER - 1):
        health.took_none(0.0)
    assert order(cheap=health) == ["cheap", "evolink"]
    health.took_none(0.0)
    assert order(cheap=health) == ["evolink", "cheap"]


def test_one_that_accepts_in_between_begins_to_count_anew() -> None:
    health = Health()
    for _ in range(3):
        health.took_none(0.0)
        health.took_none(0.0)
        health.took_one()
    assert health.is_well(0.0)


def test_a_route_that_is_down_is_tried_by_one_job_at_a_time_and_is_well_again_once_it_takes_one() -> None:
    health = Health()
    for _ in range(OPENS_AFTER):
        health.took_none(0.0)
    assert not health.is_well(OPEN_FOR - 1)
    assert health.is_well(OPEN_FOR)
    health.try_it(OPEN_FOR)
    assert not health.is_well(OPEN_FOR)  # for all others
    health.took_one()
    assert health.is_well(OPEN_FOR)


@given(st.integers(0, 60) | st.integers(1000, 3000))
def test_it_is_down_for_longer_each_time_and_never_for_ever(more: int) -> None:
    health = Health()
    for _ in range(OPENS_AFTER + more):
        health.took_none(0.0)
    assert not health.is_well(min(OPEN_FOR * 2 ** min(more, 10), OPEN_AT_MOST) - 1)
    assert health.is_well(OPEN_AT_MOST)


def test_a_short_wait_is_waited_for_and_a_long_one_is_not() -> None:
    patient, asked = Health(), Health()
    patient.took_none(0.0, wait=20)
    asked.took_none(0.0, wait=300)
    assert order(cheap=patient) == ["cheap", "evolink"]
    assert order(cheap=asked) == ["evolink", "cheap"]
    assert asked.is_well(300)


def test_a_route_that_was_stopped_gets_nothing_and_one_that_is_down_still_does_where_no_other_is_left() -> None:
    down = Health()
    for _ in range(OPENS_AFTER):
        down.took_none(0.0)
    assert order(evolink=Health(stopped=True), cheap=down) == ["cheap"]
    assert order(evolink=Health(stopped=True), cheap=Health(stopped=True)) == []


def test_a_route_that_does_not_answer_is_down_before_it_refuses_a_job() -> None:
    health = Health()
    health.fell_silent(0.0)
    assert order(cheap=health) == ["evolink", "cheap"]
    assert health.is_well(OPEN_FOR)
