"""A slice of the worlds that `make faults` lives, and proof that the simulator notices a product that is broken."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from .breakages import BREAKAGES
from .footage import PROMPTS
from .life import RETRIES
from .policies import POLICIES
from .report import ROUGH, killed_at_every_point
from .virtual import Loop, Stalled, Time
from .weather import CALM, SUBMIT, Fate, Weather
from .workers import Lived, Order, live

pytestmark = pytest.mark.slow

FLOW = Path(__file__).parent.parent.parent / "flows/campaign.py"
#: Weather in which each breakage shows soon, and what is then said of it.
SHOWS: Mapping[str, tuple[Weather, str]] = {
    "sends_doubt_again": (Weather(submit=0.9), r"a POST for .* left, which is .* already: its take is released"),
    "commits_no_intent": (CALM, r"a POST for .* left, and the take of its key is reserved"),
    "looks_at_no_budget": (Weather(slack=-1), r"held \+ charged is \d+ units, and the budget"),
    "writes_no_file": (CALM, r"is archived, and .* is not there or is damaged"),
    "forgets_what_runs": (CALM, r"is charged, and its take \d+ is failed without a charge"),
}
#: The last three: what ten thousand worlds have found once.
SAMPLE = [Order(seed=seed, compared=True) for seed in (*range(10, 42), 112, 1126, 3217)]


def loses_an_answer(seed: int) -> bool:
    """Is the first submission of a prompt accepted in this world, and its answer lost?"""
    fate = Fate(seed=seed, kind="replay", weather=ROUGH)
    faults = [fate.next(f"submit {prompt}", ROUGH.submit, SUBMIT) for prompt in PROMPTS]
    return any(fault.endswith(", accepted") for fault in faults)


HOLDS = [Order(seed=seed, climate=ROUGH) for seed in range(600) if loses_an_answer(seed)][:12]
KILLS = killed_at_every_point("replay", step=12)
BROKEN = [Order(seed=seed, broken=name, climate=SHOWS[name][0]) for name in BREAKAGES for seed in (2,)]
#: One world in each of two processes, whose hashes of text differ.
TWINS = [Order(seed=2), Order(seed=2)]

Worlds = Mapping[Order, Sequence[Lived]]


@pytest.fixture(scope="module")
def worlds() -> Worlds:
    found: dict[Order, list[Lived]] = {}
    for lived in live([*TWINS, *SAMPLE, *HOLDS, *KILLS, *BROKEN], processes=2):
        found.setdefault(lived.order, []).append(lived)
    return found


def violations(worlds: Worlds, orders: Sequence[Order]) -> dict[int, tuple[str, ...]]:
    return {order.seed: lived.told.violations for order in orders for lived in worlds[order] if not lived.told.is_fine}


def test_nothing_is_paid_twice_or_lost_in_any_weather(worlds: Worlds) -> None:
    assert not violations(worlds, SAMPLE)


def test_the_sample_is_rough_enough_to_say_something(worlds: Worlds) -> None:
    told = [lived.told for order in SAMPLE for lived in worlds[order]]
    met = {name.partition(":")[0] for one in told for name in one.met}
    assert met >= {"submit", "status", "upload", "result", "ledger", "clock", "schedule"}
    assert sum(one.crashes for one in told) > len(SAMPLE) // 2
    assert sum(one.archived for one in told) > len(SAMPLE)


def test_killed_at_one_point_after_the_other_it_pays_once_and_archives_all(worlds: Worlds) -> None:
    assert not violations(worlds, KILLS)
    told = [lived.told for order in KILLS for lived in worlds[order]]
    assert {(one.jobs, one.archived) for one in told} == {(2, 2)}
    assert [one.crashes for one in told[-1:]] == [0]  # the last of them is behind the end of the run
    passed = told[-1].points[0]
    assert sum(one.crashes for one in told) == sum(
        order.climate.crashes[0].at <= passed for order in KILLS if order.climate
    )


def test_five_in_a_hundred_faulty_submissions_leave_hardly_a_take_in_doubt(worlds: Worlds) -> None:
    """Worlds of such weather in which an answer was lost: each is asked about again in the same run, and settled."""
    told = [lived.told for order in HOLDS for lived in worlds[order]]
    assert [(one.jobs, one.archived, one.held_first) for one in told] == [(2, 2, 0)] * 12


def test_policies_that_send_again_pay_twice_in_the_worlds_in_which_we_do_not(worlds: Worlds) -> None:
    lived = [lived for order in SAMPLE for lived in worlds[order]]
    for number, policy in enumerate(POLICIES):
        assert sum(one.twice[number] for one in lived) > 0, policy.name
    assert sum(one.told.twice for one in lived) == 0


def test_the_same_seed_writes_the_same_ledger(worlds: Worlds) -> None:
    first, second = worlds[TWINS[0]]
    assert first.told.journal
    assert first.told.journal == second.told.journal
    assert first.told.points == second.told.points


@pytest.mark.parametrize("name", BREAKAGES)
def test_a_product_that_is_broken_on_purpose_is_found_out(worlds: Worlds, name: str) -> None:
    said = [words for seed in violations(worlds, BROKEN) for words in _said(worlds, name, seed)]
    assert any(re.search(SHOWS[name][1], words) for words in said), said


def _said(worlds: Worlds, name: str, seed: int) -> Sequence[str]:
    order = Order(seed=seed, broken=name, climate=SHOWS[name][0])
    return [words for lived in worlds[order] for words in lived.told.violations]


def test_a_year_of_virtual_time_passes_at_once() -> None:
    time = Time()
    loop = Loop(time)
    loop.run_until_complete(asyncio.sleep(365 * 86_400))
    loop.close()
    assert time.seconds == 365 * 86_400


def test_a_program_that_waits_for_nothing_is_caught_instead_of_waited_for() -> None:
    loop = Loop(Time())
    waiting = loop.create_future()
    with pytest.raises(Stalled):
        loop.run_until_complete(waiting)
    waiting.cancel()
    loop.close()


def test_each_stage_is_tried_again_as_often_as_the_flow_does() -> None:
    declared = re.findall(r"@task\(.*retries=(\d+).*\)\nasync def (\w+)", FLOW.read_text("utf-8"))
    assert {name: int(count) for count, name in declared} == RETRIES
