"""Money is held before it is spent: no number of workers passes a budget, of a campaign or of a month, by one unit."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from callsheet.audit import findings
from callsheet.credits import Credits
from callsheet.errors import BudgetExceeded, RouteBusy, TakeAlreadyLive
from callsheet.ledger.book import Ledger
from callsheet.ledger.tables import SCHEMA_VERSION
from callsheet.routing import Limits
from callsheet.take import State

from .ledgers import BOOKING, Place, forget_occurrences, walked_to
from .spender import MODEST, MONTHLY, PRICE

ROOT = Path(__file__).parents[2]
TEN = replace(BOOKING, price=Credits.of(10), budget=None)


def test_a_purchase_counts_with_routes_that_were_first_used_after_its_plan(ledger: Ledger) -> None:
    evolink = replace(TEN, route="evolink", pool=("evolink",), key="a" * 64)
    ledger.reserve(replace(TEN, route="mirror", pool=("evolink", "mirror"), key="b" * 64))
    for limited in (replace(evolink, monthly=Credits.of(15)), replace(evolink, budget=Credits.of(15))):
        with pytest.raises(BudgetExceeded):
            ledger.reserve(limited)
    with pytest.raises(TakeAlreadyLive):
        ledger.reserve(replace(evolink, key="b" * 64))
    free = replace(TEN, route="sandbox", pool=("sandbox",), key="c" * 64, budget=Credits.of(15))
    ledger.reserve(free)  # a draft is no part of what is spent, and spending is no part of a draft's
    assert ledger.reserve(replace(evolink, budget=Credits.of(20))).route == "evolink"
    assert ledger.routes() == ("evolink", "mirror", "sandbox")


def test_a_clock_that_was_set_back_keeps_nobody_waiting(place: Place) -> None:
    now = datetime.now(UTC)
    with closing(Ledger(place.url, now=lambda: now + timedelta(days=3))) as ahead:
        take = ahead.reserve(TEN)
        ahead.submitting(take.id, request={})
    with closing(Ledger(place.url, now=lambda: now)) as ledger:
        waiting = ledger.reserve(replace(TEN, key="d" * 64))
        ledger.submitting(waiting.id, request={}, limits=Limits(per_minute=1))


def test_two_hundred_workers_of_four_processes_cannot_overspend_by_one_credit(place: Place) -> None:
    Ledger(place.url).close()
    with ExitStack() as ended:
        processes = [
            ended.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "tests.contracts.spender", place.url, str(number), "50"],
                    cwd=ROOT,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    text=True,
                )
            )
            for number in range(4)
        ]
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        got = [int(process.stdout.readline()) for process in processes if process.stdout]
    assert [process.returncode for process in processes] == [0] * 4
    with closing(Ledger(place.url)) as ledger:
        month = ledger.month(route=BOOKING.route)
        modest = ledger.money(campaign="modest", route=BOOKING.route)
        assert list(ledger.books().unguarded) == []
    assert month.held == PRICE * 30 <= MONTHLY < month.held + PRICE
    assert modest.held <= MODEST
    assert sum(got) == 30


def test_forty_threads_reach_the_budget_of_a_campaign_and_do_not_pass_it(place: Place) -> None:
    refused: list[str] = []
    with ExitStack() as closed:
        ledgers = [closed.enter_context(closing(Ledger(place.url))) for _ in range(8)]

        def reserve(number: int) -> None:
            try:
                ledgers[number % 8].reserve(replace(TEN, budget=Credits.of(125), key=f"key-{number}"))
            except BudgetExceeded as error:
                refused.append(error.what)

        threads = [threading.Thread(target=reserve, args=(number,)) for number in range(40)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert ledgers[0].money(campaign="hello", route="sandbox").held == Credits.of(120)
    assert len(refused) == 28


class Clock:
    """The time that a ledger is told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 30, 23, 59, 50, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def timed(place: Place, clock: Clock) -> Iterator[Ledger]:
    with closing(Ledger(place.url, now=clock)) as opened:
        yield opened


def test_all_campaigns_of_a_route_share_its_month_and_other_routes_do_not(timed: Ledger) -> None:
    monthly = replace(TEN, monthly=Credits.of(25))
    timed.reserve(replace(monthly, key="a", campaign="one"))
    timed.reserve(replace(monthly, key="b", campaign="two"))
    with pytest.raises(
        BudgetExceeded, match=r"25 credits \(\$0.37\), what all campaigns may spend on sandbox in 2026-11"
    ):
        timed.reserve(replace(monthly, key="c", campaign="three"))
    assert timed.reserve(replace(monthly, key="d", route="evolink")).route == "evolink"
    assert timed.reserve(replace(monthly, key="e", price=Credits.of(5))).price == Credits.of(5)
    assert timed.month(route="sandbox").held == Credits.of(25)


def test_a_take_counts_in_the_month_in_which_it_was_sent(timed: Ledger, clock: Clock) -> None:
    sent, kept = timed.reserve(replace(TEN, key="a")), timed.reserve(replace(TEN, key="b"))
    timed.submitting(sent.id, request={})
    clock.now += timedelta(seconds=20)
    assert timed.month(route="sandbox").held == Credits.of(10), "what was not sent yet would be paid for in this month"
    timed.submitting(kept.id, request={})
    clock.now += timedelta(days=31)
    assert timed.month(route="sandbox").held == Credits()


@pytest.mark.parametrize("state", State)
def test_a_month_counts_what_a_take_costs_in_every_state(timed: Ledger, state: State) -> None:
    take = walked_to(timed, state)
    assert timed.month(route="sandbox").spoken_for == take.cost


def test_a_month_begins_in_utc_wherever_the_clock_is(timed: Ledger, clock: Clock) -> None:
    take = timed.reserve(TEN)
    timed.submitting(take.id, request={})
    clock.now = datetime(2026, 12, 1, 7, 0, tzinfo=timezone(timedelta(hours=8)))  # still November in UTC
    assert timed.month(route="sandbox").held == TEN.price
    clock.now += timedelta(hours=1)
    assert timed.month(route="sandbox").held == Credits()


def test_a_december_is_followed_by_a_january(timed: Ledger, clock: Clock) -> None:
    clock.now = datetime(2026, 12, 31, 23, 0, tzinfo=UTC)
    timed.submitting(timed.reserve(TEN).id, request={})
    assert timed.month(route="sandbox").held == TEN.price
    clock.now += timedelta(hours=1)
    assert timed.month(route="sandbox").held == Credits()


def test_a_ledger_of_version_3_is_brought_forward_on_both_databases(place: Place) -> None:
    with closing(Ledger(place.url)) as ledger:
        take = walked_to(ledger, State.ARCHIVED)
    place.without_guards(
        "transitions", "delete from transitions where after = 'failed' and before <> 'submitted' or before = after"
    )
    forget_occurrences(place)
    place.do(
        *(f"drop table {table}" for table in ("callbacks", "claims", "runs")),
        "drop index takes_of_a_month",
        "update ledger_version set version = 3",
    )
    with closing(Ledger(place.url)) as ledger:
        assert ledger.take(take.id) == take
        assert ledger.books().unguarded == []
    assert place.rows("select version from ledger_version") == [(SCHEMA_VERSION,)]
    place.do("drop index takes_of_a_month")  # it is there


def test_a_ledger_of_version_5_is_brought_forward_on_both_databases(place: Place) -> None:
    with closing(Ledger(place.url)) as ledger:
        take = walked_to(ledger, State.IN_DOUBT)
    place.without_guards(
        "transitions", "delete from transitions where before = 'in_doubt' and after in ('in_doubt', 'failed')"
    )
    forget_occurrences(place)
    place.do("update ledger_version set version = 5")
    with closing(Ledger(place.url)) as ledger:
        assert ledger.in_doubt(take.id, reason="it was accepted").reason == "it was accepted"
        given_up = ledger.failed(take.id, reason="given up", charged=take.price)
        assert (given_up.state, given_up.cost) == (State.FAILED, take.price)
        with pytest.raises(KeyError):  # signed links are in it
            ledger.request(take.id)
        assert ledger.books().unguarded == []
        assert findings(ledger.books()) == []
    assert place.rows("select version from ledger_version") == [(SCHEMA_VERSION,)]


def test_a_route_takes_no_more_jobs_at_a_time_than_it_is_said_to(ledger: Ledger) -> None:
    one, two = (ledger.reserve(replace(BOOKING, key=letter * 64)) for letter in "ab")
    limits = Limits(in_flight=1)
    ledger.submitting(one.id, request={}, limits=limits)
    for step in (lambda: None, lambda: ledger.submitted(one.id, job="task-1")):
        step()
        with pytest.raises(RouteBusy, match="1 jobs are in flight on route sandbox") as busy:
            ledger.submitting(two.id, request={}, limits=limits)
        assert busy.value.after
        assert ledger.take(two.id).state is State.RESERVED
    ledger.failed(one.id, reason="x")
    assert ledger.submitting(two.id, request={}, limits=limits).state is State.SUBMITTING


def test_a_route_is_sent_no_more_jobs_in_a_minute_than_it_is_said_to_take(place: Place) -> None:
    moment = datetime(2026, 11, 24, 6, 0, tzinfo=UTC)
    clock = [moment]
    with closing(Ledger(place.url, now=lambda: clock[0])) as ledger:
        takes = [ledger.reserve(replace(BOOKING, key=letter * 64)) for letter in "abc"]
        limits = Limits(per_minute=2)
        ledger.submitting(takes[0].id, request={}, limits=limits)
        clock[0] += timedelta(seconds=20)
        ledger.submitting(takes[1].id, request={}, limits=limits)
        ledger.released(takes[1].id, reason="refused")  # it was sent all the same
        with pytest.raises(RouteBusy, match="2 jobs were sent on route sandbox within a minute") as busy:
            ledger.submitting(takes[2].id, request={}, limits=limits)
        assert busy.value.after == timedelta(seconds=40)
        clock[0] += timedelta(seconds=40)
        assert ledger.submitting(takes[2].id, request={}, limits=limits).state is State.SUBMITTING


def test_limits_hold_for_many_who_send_at_once(place: Place) -> None:
    with closing(Ledger(place.url)) as ledger:
        takes = [ledger.reserve(replace(BOOKING, key=f"{n:064x}")) for n in range(12)]
    sent, busy = [], []

    def send(take_id: int) -> None:
        with closing(Ledger(place.url)) as ledger:
            try:
                sent.append(ledger.submitting(take_id, request={}, limits=Limits(in_flight=3, per_minute=5)).id)
            except RouteBusy as error:
                busy.append(error)

    threads = [threading.Thread(target=send, args=(take.id,)) for take in takes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(sent), len(busy)) == (3, 9)


def test_budget_and_takes_count_over_all_routes_of_a_pool(ledger: Ledger) -> None:
    pool = ("evolink", "mirror")
    first = replace(BOOKING, route="evolink", pool=pool, budget=Credits.of(100))
    take = ledger.reserve(first)
    with pytest.raises(TakeAlreadyLive):
        ledger.reserve(replace(first, route="mirror"))
    with pytest.raises(BudgetExceeded):
        ledger.reserve(replace(first, route="mirror", key="b" * 64))
    with pytest.raises(BudgetExceeded):
        ledger.reserve(replace(first, route="mirror", key="b" * 64, budget=None, monthly=Credits.of(100)))
    assert ledger.newest([first.key], route=pool)[first.key] == take
    assert ledger.money(campaign="hello", route=pool).held == BOOKING.price
    assert ledger.month(route=pool).held == BOOKING.price
    assert ledger.routes() == ("evolink",)


def test_the_database_itself_refuses_a_second_live_take_of_a_content_on_another_paid_route(ledger: Ledger) -> None:
    """One that does not know of the other route: another version's, or with another routes.toml."""
    ledger.reserve(replace(BOOKING, route="evolink"))
    with pytest.raises(TakeAlreadyLive):
        ledger.reserve(replace(BOOKING, route="mirror"))
    for play in ("sandbox", "loopback"):
        assert ledger.reserve(replace(BOOKING, route=play)).state is State.RESERVED
