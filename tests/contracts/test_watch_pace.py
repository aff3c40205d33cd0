"""How often the watch asks and how late it is, in virtual time: a hundred jobs of one to three minutes."""

import asyncio
import itertools
from datetime import timedelta

import pytest

from callsheet import pace
from callsheet.errors import Unavailable
from callsheet.provider.watch import REMOTE, Watch
from tests import virtual

from .watched import Measured, Scripted, lengths, measure


@pytest.fixture(scope="module")
def unknowing() -> Measured:
    """As it is when neither the provider nor the ledger says how long a job may take."""
    return measure(Watch)


def test_who_knows_how_long_takes_last_asks_less_and_sees_an_end_no_later(unknowing: Measured) -> None:
    learned = measure(Watch, usual=pace.usual(lengths()))
    assert learned.requests < 0.85 * unknowing.requests
    assert learned.late < unknowing.late * 1.1
    assert learned.asked_at[0] > 45


def test_an_estimate_of_the_provider_saves_every_third_question_and_both_together_more(
    unknowing: Measured,
) -> None:
    estimated = measure(Watch, estimates=True)
    both = measure(Watch, estimates=True, usual=pace.usual(lengths()))
    assert estimated.requests < 0.7 * unknowing.requests
    assert both.requests < 0.65 * unknowing.requests
    assert max(estimated.late, both.late) < unknowing.late * 1.1


def test_questions_are_never_closer_than_a_tick_and_lateness_stays_under_one(unknowing: Measured) -> None:
    both = measure(Watch, estimates=True, usual=pace.usual(lengths()))
    for run in (unknowing, both):
        gaps = [later - sooner for sooner, later in zip(run.asked_at, run.asked_at[1:], strict=False)]
        assert min(gaps) >= REMOTE.tick
        assert run.late < REMOTE.tick


def asked(trouble: dict[int, Unavailable], until: float = 3000) -> list[float]:
    """When one job that ends at `until` was asked about, by a provider that is in trouble at some questions."""

    async def follow() -> list[float]:
        provider = Scripted({"a": until}, trouble=trouble)
        async with provider, Watch(provider) as watch:
            await watch.until_done("a")
        return provider.asked_at

    return virtual.run(follow())


def test_a_provider_that_does_not_answer_is_asked_ever_less_but_never_given_up() -> None:
    down = {number: Unavailable("down", spent="unknown") for number in range(40)}
    times = asked(down)
    gaps = [later - sooner for sooner, later in itertools.pairwise(times)]
    bound = REMOTE.slowest * pace.SLOWEST_IN_TROUBLE
    assert gaps[0] >= 2 * REMOTE.tick
    assert bound <= max(gaps[:40]) <= bound * (1 + pace.JITTER)
    assert len(times) == 41  # the first answer after more than an hour ends it


def test_a_provider_that_asks_for_patience_gets_it() -> None:
    times = asked({0: Unavailable("busy", spent="unknown", after=timedelta(seconds=300))}, until=60)
    assert times[1] - times[0] >= 300


def test_a_job_of_an_earlier_run_is_asked_about_at_once_however_long_such_jobs_take() -> None:
    async def follow() -> float:
        provider = Scripted({"a": -5.0})
        usual = pace.usual([600.0] * 10)
        async with provider, Watch(provider) as watch:
            await watch.until_done("a", estimate=timedelta(0), age=timedelta(minutes=5), usual=usual)
        return asyncio.get_running_loop().time()

    assert virtual.run(follow()) <= 1
