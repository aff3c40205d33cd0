"""When a job is asked about again: by example, and within its bounds whatever is said and known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callsheet import pace
from callsheet.pace import Pace, Usual, usual

REMOTE = Pace(first=15, tick=10, slowest=30, longest=120)
HERE = Pace(first=0.1, tick=0.25, slowest=2, longest=2, expects=False)
KNOWN = Usual(soonest=100, median=140, latest=180)
EVEN = 0.5  # no jitter

seconds = st.floats(0, 10_000)
left = st.one_of(st.none(), seconds)
known = st.one_of(st.none(), st.lists(st.floats(1, 5_000), min_size=5, max_size=60).map(usual))


def first(left: float | None = None, usual: Usual | None = None, of: Pace = REMOTE, elapsed: float = 0) -> float:
    return pace.until_first(elapsed=elapsed, left=left, usual=usual, pace=of, chance=EVEN)


def later(elapsed: float, left: float | None = None, usual: Usual | None = None, of: Pace = REMOTE) -> float:
    return pace.until_next(elapsed=elapsed, left=left, usual=usual, pace=of, chance=EVEN)


def test_the_first_question_comes_soon_before_the_soonest_end_of_the_last_takes() -> None:
    assert first(usual=KNOWN) == 80
    assert first(usual=KNOWN, elapsed=30) == 50


def test_an_estimate_that_nothing_confirms_is_believed_by_halves_until_little_is_left() -> None:
    assert first(left=100) == 50
    assert later(50, left=50) == 25
    assert later(75, left=25) == 25


def test_nothing_is_waited_for_longer_than_two_minutes_since_a_job_may_fail_early() -> None:
    assert first(left=3000) == 120
    assert first(usual=Usual(soonest=3000, median=3000, latest=3000)) == 120


def test_without_anything_to_expect_it_is_asked_as_the_vendor_advises_and_ever_slower() -> None:
    assert first() == 15
    assert [later(age) for age in (15, 100, 200, 1000)] == [10, 10, 20, 30]


def test_while_an_end_is_likely_it_is_asked_often_and_after_that_ever_slower() -> None:
    assert later(100, usual=KNOWN) == 10
    assert later(280, usual=KNOWN) == 10
    assert later(400, usual=KNOWN) == 22
    assert later(1000, usual=KNOWN) == 30


def test_an_estimate_counts_as_far_as_the_last_takes_bear_it_out() -> None:
    assert later(100, left=20, usual=KNOWN) == 20
    assert later(100, left=300, usual=KNOWN) == 10
    assert first(left=40, usual=KNOWN) == 40


def test_a_job_of_an_earlier_run_is_asked_about_at_once() -> None:
    assert first(left=0, usual=KNOWN) == 1
    assert first(left=0, of=HERE) < 0.1


def test_a_provider_on_this_machine_is_asked_quickly_whatever_it_estimates() -> None:
    assert first(left=60, usual=KNOWN, of=HERE) == 0.1
    assert later(1, left=60, usual=KNOWN, of=HERE) == 0.25
    assert later(10, left=60, usual=KNOWN, of=HERE) == 1


def test_nothing_is_learned_from_few_takes_and_nothing_from_those_that_a_later_run_picked_up() -> None:
    assert usual([60, 70, 80, 90]) is None
    assert usual([60, 70, 80, 90, 100]) == Usual(soonest=60, median=80, latest=100)
    assert usual([60, 70, 80, 90, 100, 86_400]) == usual([60, 70, 80, 90, 100])


def test_only_the_last_takes_count() -> None:
    assert usual([60.0] * 50 + [600.0] * 500) == Usual(soonest=60, median=60, latest=60)


def test_what_is_learned_falls_when_takes_become_faster() -> None:
    """An end is seen by asking: a first question at the soonest duration known would never see a sooner one."""
    known = usual([100.0] * 50)
    for _ in range(10):
        assert known is not None
        known = usual([first(usual=known)] * 50)
    assert known is not None
    assert known.soonest < 20


@pytest.mark.parametrize(("failures", "rest"), [(0, 10), (1, 20), (2, 40), (3, 80), (4, 120), (1000, 120)])
def test_while_nobody_answers_the_pause_doubles_up_to_a_bound(failures: int, rest: float) -> None:
    assert pace.backed_off(failures, REMOTE) == rest


@given(elapsed=seconds, left=left, usual=known, chance=st.floats(0, 1), of=st.sampled_from([REMOTE, HERE]))
def test_no_question_comes_sooner_than_a_tick_after_the_last_or_later_than_the_longest_wait(
    elapsed: float, left: float | None, usual: Usual | None, chance: float, of: Pace
) -> None:
    wait = pace.until_next(elapsed=elapsed, left=left, usual=usual, pace=of, chance=chance)
    assert of.tick <= wait <= of.longest


@given(elapsed=seconds, left=left, usual=known, chance=st.floats(0, 1), begins=st.booleans())
def test_no_job_is_asked_about_much_later_than_its_end_is_expected(
    elapsed: float, left: float | None, usual: Usual | None, chance: float, begins: bool
) -> None:
    ask = pace.until_first if begins else pace.until_next
    wait = ask(elapsed=elapsed, left=left, usual=usual, pace=REMOTE, chance=chance)
    ends = [end for end in (usual and usual.median, left and elapsed + left) if end and end > elapsed]
    assert wait <= (max([end - elapsed for end in ends], default=0) + REMOTE.slowest) * (1 + pace.JITTER)


@given(left=st.floats(0.001, 10_000), usual=known, chance=st.floats(0, 1))
def test_the_first_question_does_not_wait_for_longer_than_the_provider_says_that_it_takes(
    left: float, usual: Usual | None, chance: float
) -> None:
    if usual is not None and left > usual.latest:
        return  # the last takes do not bear it out
    wait = pace.until_first(elapsed=0, left=left, usual=usual, pace=REMOTE, chance=chance)
    assert wait <= left * (1 + pace.JITTER)
